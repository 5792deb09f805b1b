"""Chinese names with their pinyin: streets, waters, hills, neighbourhoods. Pools are shuffled by the city's seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from cityops.twin.plan.model import Name

_PINYIN = """
安an 鞍an 八ba 柏bai 白bai 百bai 堡bao 宝bao 北bei 碧bi 宾bin 滨bin 波bo 产chan 场chang 常chang 昌chang 长chang
巢chao 朝chao 潮chao 车che 城cheng 成cheng 池chi 赤chi 崇chong 重chong 川chuan 创chuang 春chun 祠ci 翠cui 村cun
大da 丹dan 道dao 德de 灯deng 地di 第di 东dong 动dong 栋dong 洞dong 渡du 端duan 峨e 二er 儿er 发fa 凡fan 放fang
方fang 芳fang 丰feng 凤feng 奉feng 峰feng 枫feng 风feng 伏fu 复fu 富fu 府fu 福fu 辅fu 阜fu 岗gang 港gang 高gao
公gong 宫gong 工gong 关guan 冠guan 观guan 光guang 广guang 桂gui 国guo 海hai 汉han 杭hang 航hang 和he 河he 荷he
鹤he 恒heng 衡heng 洪hong 红hong 虹hong 湖hu 虎hu 化hua 华hua 花hua 怀huai 槐huai 环huan 凰huang 皇huang 黄huang
惠hui 慧hui 辉hui 火huo 吉ji 技ji 济ji 集ji 佳jia 嘉jia 家jia 健jian 建jian 江jiang 讲jiang 教jiao 结jie 街jie
解jie 晋jin 津jin 进jin 金jin 锦jin 井jing 京jing 景jing 荆jing 镜jing 静jing 九jiu 居ju 菊ju 军jun 凯kai 开kai
康kang 客ke 科ke 口kou 快kuai 昆kun 兰lan 澜lan 蓝lan 劳lao 老lao 乐le 雷lei 丽li 利li 力li 李li 礼li 立li 里li
鲤li 莲lian 亮liang 梁liang 良liang 临lin 林lin 岭ling 灵ling 零ling 六liu 柳liu 隆long 龙long 楼lou 庐lu 路lu
鲁lu 鹭lu 鹿lu 仑lun 洛luo 绿lv 码ma 马ma 茂mao 梅mei 眉mei 美mei 门men 庙miao 民min 名ming 明ming 墨mo 木mu 牧mu
南nan 内nei 年nian 宁ning 牛niu 农nong 盘pan 培pei 坪ping 平ping 萍ping 坡po 鄱po 浦pu 七qi 启qi 旗qi 栖qi 祁qi
前qian 桥qiao 勤qin 庆qing 清qing 青qing 秋qiu 曲qu 全quan 权quan 泉quan 绕rao 人ren 仁ren 荣rong 融rong 瑞rui
三san 桑sang 森sen 沙sha 山shan 杉shan 上shang 邵shao 韶shao 社she 设she 神shen 生sheng 盛sheng 胜sheng 世shi
仕shi 十shi 市shi 湿shi 石shi 书shu 树shu 双shuang 水shui 顺shun 四si 寺si 思si 松song 速su 台tai 太tai 泰tai
潭tan 塘tang 桃tao 陶tao 体ti 天tian 田tian 铁tie 亭ting 庭ting 同tong 桐tong 童tong 通tong 头tou 土tu 团tuan
万wan 湾wan 望wang 王wang 文wen 卧wo 五wu 伍wu 吴wu 武wu 物wu 溪xi 熙xi 西xi 下xia 霞xia 先xian 向xiang 巷xiang
祥xiang 襄xiang 香xiang 孝xiao 小xiao 校xiao 信xin 新xin 欣xin 兴xing 幸xing 星xing 杏xing 雄xiong 秀xiu 绣xiu
徐xu 宣xuan 学xue 雪xue 寻xun 延yan 沿yan 燕yan 雁yan 杨yang 洋yang 阳yang 药yao 业ye 叶ye 一yi 义yi 宜yi 怡yi
益yi 谊yi 逸yi 银yin 音yin 樱ying 迎ying 鹰ying 勇yong 永yong 涌yong 友you 余yu 玉yu 育yu 裕yu 雨yu 鱼yu 元yuan
园yuan 源yuan 苑yuan 远yuan 院yuan 岳yue 月yue 云yun 韵yun 泽ze 寨zhai 展zhan 站zhan 张zhang 章zhang 振zhen
珍zhen 征zheng 政zheng 正zheng 郑zheng 志zhi 智zhi 植zhi 知zhi 致zhi 芝zhi 中zhong 众zhong 忠zhong 钟zhong 州zhou
洲zhou 舟zhou 主zhu 朱zhu 珠zhu 竹zhu 庄zhuang 紫zi 自zi 宗zong 族zu 祖zu 遵zun 座zuo
"""

PINYIN = {token[0]: token[1:] for token in _PINYIN.split()}

GENERIC = {
    "大道": "Avenue",
    "路": "Road",
    "街": "Street",
    "巷": "Lane",
    "里": "Alley",
    "高速": "Expressway",
    "辅路": "Service Road",
}
SIDES = {"东": "East", "南": "South", "西": "West", "北": "North", "中": "Middle"}

_GREAT = (
    "解放 中山 和平 友谊 建设 人民 发展 迎宾 光明 新华 青年 团结 胜利 朝阳 东风 文化 民主 创新 振兴 红旗 长征 五一 "
    "科技 教育 体育 劳动 前进 民族 幸福 广场 车站 航海 神龙 凤凰 星光 金融 盛世 开元 学府 书院 龙门 武昌 襄阳 韶山 "
    "延安 遵义 昆仑 泰山 黄山 衡山 华山 恒山 庐山 峨眉 长白 太湖 洞庭 鄱阳 北京 上海 南京 广州 杭州 天津 重庆 西安"
)
GREAT = tuple(_GREAT.split())
"""Stems of avenues and main roads."""

_FIRST = tuple(
    "安宝碧昌长春翠德东丰福富高光桂和荷鹤红洪花怀黄惠吉嘉建金锦景静康兰乐丽莲良林灵柳龙"
    "隆茂梅美明宁平青清庆泉仁荣瑞桑松泰桃天同万望文武香祥新兴杏秀雪阳杨宜银永玉裕育元月云泽正芝知志珠竹紫"
)
_SECOND = tuple(
    "安昌德丰福光和河荷鹤华湖吉嘉景井康乐林岭龙隆茂门明宁平坪桥庆泉荣瑞山胜石水松泰塘田通湾文祥兴秀阳益园源泽洲竹庄"
)

LAKES = ("镜湖", "月湖", "白鹭湖", "南湖", "北湖", "金沙湖", "墨水湖", "莲花湖", "龙潭湖", "清水湖", "雁栖湖", "杨春湖")
HILLS = ("凤凰山", "卧牛山", "九峰山", "青龙山", "伏虎山", "栖霞山", "紫云山", "观音山")
_PARKS = (
    "人民 中山 解放 青年 滨江 月亮湾 文化 体育 植物园 森林 湿地 儿童 劳动 朝阳 迎宾 科技 桃花 紫荆 柳林 丰泽 银杏 "
    "翠竹 樱花 荷塘 龙泉 望江 青云 白沙 金桂 梅园"
)
PARKS = tuple(_PARKS.split())
CITIES = ("汉", "襄", "宜", "安", "南", "黄", "岳", "信")

RIVER = Name("澜江", "Lan River")
TRIBUTARY = Name("清河", "Qing River")
ISLAND = Name("白鹭洲", "Bailu Islet")


def romanised(zh: str) -> str:
    """Return the pinyin of a Chinese word as one capitalised word, apostrophes where syllables would run together."""
    said = ""
    for letter in zh:
        syllable = PINYIN[letter]
        said += ("'" if said and syllable[0] in "aeo" else "") + syllable
    return said.capitalize()


def street(stem: str, side: str, generic: str) -> Name:
    """Return a street's name: stem, side (东南西北中 or none) and kind of street, "解放东路" / "Jiefang East Road"."""
    words = [romanised(stem), SIDES[side]] if side else [romanised(stem)]
    return Name(stem + side + generic, " ".join([*words, GENERIC[generic]]))


def numbered(number: int) -> str:
    """Return a number from 1 to 99 in Chinese, as ordinals and ring roads use it."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(number, 10)
    return (digits[tens] if tens > 1 else "") + ("十" if tens else "") + (digits[ones] if ones or not tens else "")


class NamePool:
    """Stems handed out once each, in an order of the seed's making; composed ones go on for ever."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._great = list(rng.permutation(GREAT[3:]))
        self._small = self._compose(rng)
        self._used: Counter[str] = Counter()

    def great(self) -> str:
        """Return the stem of a main road."""
        return str(self._great.pop(0)) if self._great else self.small()

    def small(self) -> str:
        """Return the stem of a lesser street; second and later rounds carry a number, as lanes do."""
        stem = next(self._small)
        self._used[stem] += 1
        return stem

    @staticmethod
    def _compose(rng: np.random.Generator) -> Iterator[str]:
        pairs = [a + b for a in _FIRST for b in _SECOND if a != b and a + b not in GREAT]
        order = rng.permutation(len(pairs))
        turn = 0
        while True:
            for n in order:
                yield pairs[n] + (numbered(turn) if turn else "")
            turn += 1
