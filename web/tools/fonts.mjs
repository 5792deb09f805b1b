// Makes the first-paint fonts: every character the UI and the generated city use, cut from Noto Sans SC into one file a weight.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fontverter from 'fontverter'
import subsetFont from 'subset-font'
import { merged } from './truetype.mjs'

const WEB = dirname(dirname(fileURLToPath(import.meta.url)))
const PACKAGE = join(WEB, 'node_modules/@fontsource-variable/noto-sans-sc')
const MADE = join(WEB, 'dist/fonts')
const WEIGHTS = [400, 600]

const span = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

/** Returns the code points to cut: ASCII, Latin-1 and everything beyond that occurs in the sources and the word list. */
async function wanted() {
  const files = (await readdir(join(WEB, 'src'), { recursive: true })).filter((name) => /\.(ts|vue|html|txt)$/.test(name))
  const texts = await Promise.all(files.map((name) => readFile(join(WEB, 'src', name), 'utf8')))
  const written = [...texts.join('')].map((c) => c.codePointAt(0))
  return new Set([...span(0x20, 0x7e), ...span(0xa0, 0xff), ...written.filter((code) => code > 0xff)])
}

/** Returns [file, Set of code points] for every slice of the package, the Latin one first. */
async function slices() {
  const ranges = JSON.parse(await readFile(join(PACKAGE, 'unicode.json'), 'utf8'))
  return Object.entries(ranges)
    .map(([name, text]) => {
      const codes = text.split(',').flatMap((range) => {
        const [first, last] = range.slice(2).split('-').map((hex) => parseInt(hex, 16))
        return span(first, last ?? first)
      })
      return [join(PACKAGE, 'files', `noto-sans-sc-${name.replace(/[[\]]/g, '')}-wght-normal.woff2`), new Set(codes)]
    })
    .sort(([a], [b]) => Number(b.includes('latin-wght')) - Number(a.includes('latin-wght')))
}

function rangesOf(codes) {
  const runs = []
  for (const code of [...codes].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last && code === last[1] + 1) last[1] = code
    else runs.push([code, code])
  }
  return runs.map(([a, b]) => `U+${a.toString(16)}${a === b ? '' : `-${b.toString(16)}`}`)
}

const codes = await wanted()
const parts = []
const covered = new Set()
for (const [file, offered] of await slices()) {
  const here = [...codes].filter((code) => offered.has(code) && !covered.has(code))
  if (here.length === 0) continue
  here.forEach((code) => covered.add(code))
  parts.push([await readFile(file), String.fromCodePoint(...here)])
}
await mkdir(MADE, { recursive: true })
for (const weight of WEIGHTS) {
  const cuts = []
  for (const [bytes, text] of parts) {
    cuts.push(await subsetFont(bytes, text, { targetFormat: 'truetype', variationAxes: { wght: weight }, noLayoutClosure: true }))
  }
  await writeFile(join(MADE, `city-${weight}.woff2`), await fontverter.convert(Buffer.from(merged(cuts)), 'woff2'))
}
await writeFile(join(MADE, 'ranges.json'), JSON.stringify(rangesOf(covered)))
const faces = WEIGHTS.map(
  (weight) =>
    `@font-face{font-family:City;font-weight:${weight};font-display:block;src:url(./city-${weight}.woff2) format("woff2");unicode-range:${rangesOf(covered).join(',')}}`,
)
await writeFile(join(MADE, 'fonts.css'), faces.join('\n'))
