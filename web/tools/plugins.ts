// What the build does beyond bundling: compressed copies for the server, and the licences of what is in the bundle.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const COMPRESSED = /\.(html|js|mjs|css|json|svg|txt)$/
const COMPRESSED_FROM = 1000
/** In the bundle without being a module of it. */
const FONT = '@fontsource-variable/noto-sans-sc'

/** Writes a gzip and a Brotli copy beside every text file in `folder`: the server sends them as they are. */
export function copies(folder: string): Plugin {
  return {
    name: 'compressed-copies',
    apply: 'build',
    closeBundle() {
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const path = join(folder, name)
        if (!COMPRESSED.test(name) || statSync(path).size < COMPRESSED_FROM) continue
        const bytes = readFileSync(path)
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
      }
    },
  }
}

function licenceOf(name: string): string {
  const folder = join('node_modules', name)
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string; license: string }
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file) && statSync(join(folder, file)).isFile())
  return [`${name} ${version} (${license})`, ...files.map((file) => readFileSync(join(folder, file), 'utf8').trim())].join('\n\n')
}

/** Writes licenses.txt: what is in the bundle and under which terms. */
export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? Object.keys(part.modules) : []))
      const names = modules.map((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1]).filter((name) => name !== undefined)
      const all = [...new Set([FONT, 'maplibre-gl', ...names])].filter((name) => existsSync(join('node_modules', name))).sort()
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: all.map(licenceOf).join(`\n\n${'-'.repeat(80)}\n\n`) })
    },
  }
}
