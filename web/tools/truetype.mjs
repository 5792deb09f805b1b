// Reads and merges TrueType fonts cut from one master, so that slices can become one small file again.

const TABLES_OF_FIRST = ['OS/2', 'head', 'hhea', 'name', 'post']
const TRUETYPE = 0x00010000
const COMPOSITE = { words: 0x0001, scale: 0x0008, more: 0x0020, twoScales: 0x0040, matrix: 0x0080 }

/** Returns a font's tables by tag, as views on `bytes`. */
function tablesOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tables = new Map()
  for (let i = 0, at = 12; i < view.getUint16(4); i++, at += 16) {
    const tag = String.fromCharCode(...bytes.subarray(at, at + 4))
    tables.set(tag, bytes.subarray(view.getUint32(at + 8), view.getUint32(at + 8) + view.getUint32(at + 12)))
  }
  return tables
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Returns [code point, glyph] of every character in a cmap table (formats 4 and 12, as HarfBuzz writes them). */
function charactersOf(cmap) {
  const view = viewOf(cmap)
  const found = new Map()
  for (let i = 0; i < view.getUint16(2); i++) {
    const at = view.getUint32(4 + i * 8 + 4)
    const format = view.getUint16(at)
    if (format === 12) {
      for (let g = 0, p = at + 16; g < view.getUint32(at + 12); g++, p += 12) {
        const start = view.getUint32(p)
        for (let c = start; c <= view.getUint32(p + 4); c++) found.set(c, view.getUint32(p + 8) + c - start)
      }
    } else if (format === 4) {
      const segments = view.getUint16(at + 6) / 2
      for (let s = 0; s < segments; s++) {
        const end = view.getUint16(at + 14 + s * 2)
        const start = view.getUint16(at + 16 + (segments + s) * 2)
        const delta = view.getUint16(at + 16 + (2 * segments + s) * 2)
        const rangeAt = at + 16 + (3 * segments + s) * 2
        const range = view.getUint16(rangeAt)
        for (let c = start; c <= end && c < 0xffff; c++) {
          const glyph = range === 0 ? c : view.getUint16(rangeAt + range + (c - start) * 2)
          if (glyph !== 0) found.set(c, range === 0 ? (c + delta) & 0xffff : (glyph + delta) & 0xffff)
        }
      }
    }
  }
  return found
}

/** Returns a font's glyphs: outline bytes, advance and left bearing by glyph number. */
function glyphsOf(tables) {
  const long = viewOf(tables.get('head')).getInt16(50) === 1
  const count = viewOf(tables.get('maxp')).getUint16(4)
  const metrics = viewOf(tables.get('hhea')).getUint16(34)
  const [loca, hmtx] = [viewOf(tables.get('loca')), viewOf(tables.get('hmtx'))]
  const start = (i) => (long ? loca.getUint32(i * 4) : loca.getUint16(i * 2) * 2)
  return Array.from({ length: count }, (_, i) => ({
    outline: tables.get('glyf').subarray(start(i), start(i + 1)),
    advance: hmtx.getUint16(Math.min(i, metrics - 1) * 4),
    bearing: i < metrics ? hmtx.getInt16(i * 4 + 2) : hmtx.getInt16(metrics * 4 + (i - metrics) * 2),
  }))
}

/** Returns an outline whose component glyph numbers are moved by `shift`. */
function moved(outline, shift) {
  if (outline.length === 0 || viewOf(outline).getInt16(0) >= 0) return outline
  const copy = outline.slice()
  const view = viewOf(copy)
  for (let at = 10, flags = COMPOSITE.more; flags & COMPOSITE.more; ) {
    flags = view.getUint16(at)
    view.setUint16(at + 2, view.getUint16(at + 2) + shift)
    at += 4 + (flags & COMPOSITE.words ? 4 : 2)
    at += flags & COMPOSITE.scale ? 2 : flags & COMPOSITE.twoScales ? 4 : flags & COMPOSITE.matrix ? 8 : 0
  }
  return copy
}

function cmapTable(characters) {
  const groups = []
  for (const [code, glyph] of [...characters].sort((a, b) => a[0] - b[0])) {
    const last = groups.at(-1)
    if (last && code === last[1] + 1 && glyph === last[2] + code - last[0]) last[1] = code
    else groups.push([code, code, glyph])
  }
  const table = new Uint8Array(12 + 16 + groups.length * 12)
  const view = viewOf(table)
  view.setUint16(2, 1)
  view.setUint16(4, 3)
  view.setUint16(6, 10)
  view.setUint32(8, 12)
  view.setUint16(12, 12)
  view.setUint32(16, 16 + groups.length * 12)
  view.setUint32(24, groups.length)
  groups.forEach((group, i) => group.forEach((value, j) => view.setUint32(28 + i * 12 + j * 4, value)))
  return table
}

function padded(parts) {
  const length = parts.reduce((sum, part) => sum + ((part.length + 3) & ~3), 0)
  const whole = new Uint8Array(length)
  const offsets = []
  let at = 0
  for (const part of parts) {
    offsets.push(at)
    whole.set(part, at)
    at += (part.length + 3) & ~3
  }
  return { whole, offsets: [...offsets, at] }
}

function assemble(tables) {
  const tags = [...tables.keys()].sort()
  const { whole, offsets } = padded(tags.map((tag) => tables.get(tag)))
  const head = 12 + tags.length * 16
  const font = new Uint8Array(head + whole.length)
  const view = viewOf(font)
  const power = 2 ** Math.floor(Math.log2(tags.length))
  view.setUint32(0, TRUETYPE)
  ;[tags.length, power * 16, Math.log2(power), (tags.length - power) * 16].forEach((v, i) => view.setUint16(4 + i * 2, v))
  tags.forEach((tag, i) => {
    const table = tables.get(tag)
    const at = 12 + i * 16
    ;[...tag].forEach((c, j) => view.setUint8(at + j, c.charCodeAt(0)))
    let sum = 0
    for (let p = 0; p < table.length; p++) sum = (sum + table[p] * 2 ** (8 * (3 - (p % 4)))) >>> 0
    view.setUint32(at + 4, sum)
    view.setUint32(at + 8, head + offsets[i])
    view.setUint32(at + 12, table.length)
  })
  font.set(whole, head)
  return font
}

/** Returns one static TrueType font holding every character of `fonts` (cut from one master, layout tables dropped). */
export function merged(fonts) {
  const glyphs = []
  const characters = new Map()
  const all = fonts.map(tablesOf)
  let highest = null
  for (const tables of all) {
    const shift = glyphs.length
    for (const [code, glyph] of charactersOf(tables.get('cmap'))) {
      if (!characters.has(code)) characters.set(code, glyph + shift)
    }
    for (const glyph of glyphsOf(tables)) glyphs.push({ ...glyph, outline: moved(glyph.outline, shift) })
    const maxp = tables.get('maxp').slice()
    highest ??= maxp
    for (let at = 6; at < maxp.length; at += 2) {
      viewOf(highest).setUint16(at, Math.max(viewOf(highest).getUint16(at), viewOf(maxp).getUint16(at)))
    }
  }
  const { whole, offsets } = padded(glyphs.map((glyph) => glyph.outline))
  const [loca, hmtx] = [new Uint8Array((glyphs.length + 1) * 4), new Uint8Array(glyphs.length * 4)]
  offsets.forEach((offset, i) => viewOf(loca).setUint32(i * 4, offset))
  glyphs.forEach(({ advance, bearing }, i) => {
    viewOf(hmtx).setUint16(i * 4, advance)
    viewOf(hmtx).setInt16(i * 4 + 2, bearing)
  })
  const tables = new Map(TABLES_OF_FIRST.filter((tag) => all[0].has(tag)).map((tag) => [tag, all[0].get(tag).slice()]))
  viewOf(tables.get('head')).setInt16(50, 1)
  viewOf(tables.get('hhea')).setUint16(34, glyphs.length)
  viewOf(highest).setUint16(4, glyphs.length)
  const post = tables.get('post').slice(0, 32)
  viewOf(post).setUint32(0, 0x00030000)
  return assemble(
    new Map([...tables, ['post', post], ['maxp', highest], ['glyf', whole], ['loca', loca], ['hmtx', hmtx], ['cmap', cmapTable(characters)]]),
  )
}
