// Gathers the characters that the server's own texts use (apps, panels, the generated city) into src/fonts/words.txt.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WEB = dirname(dirname(fileURLToPath(import.meta.url)))
const SERVER = join(WEB, '../src/cityops')
/** What Intl writes in dates, and the digits and signs that data bring. */
const ALWAYS = '年月日时分秒星期周一二三四五六七八九十百千万亿零上下午前后今昨明东南西北中内外环第区县市路街道大巷桥站℃°%‰·—–…「」『』《》〈〉【】()、,。:;!?↑↓→←▲▼●○×÷±≤≥≈²³µ㎡'

const files = (await readdir(SERVER, { recursive: true })).filter((name) => /\.(py|ya?ml)$/.test(name))
const texts = await Promise.all(files.map((name) => readFile(join(SERVER, name), 'utf8')))
const used = new Set([...texts.join(''), ...ALWAYS].filter((c) => c.codePointAt(0) > 0xff))
const lines = [...used].sort().join('').match(/.{1,60}/gu)
await writeFile(join(WEB, 'src/fonts/words.txt'), `${lines.join('\n')}\n`)
console.log(`${used.size} characters`)
