// How the screens are built: hashed, self-hosted files in cityops/ioc/static, the map library in a chunk of its own.
import vue from '@vitejs/plugin-vue'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

const api = process.env['CITYOPS_IOC_URL'] ?? 'http://127.0.0.1:8080'

const OUT = '../src/cityops/ioc/static'
const COMPRESSED = /\.(html|js|mjs|css|json|svg)$/
const COMPRESSED_FROM = 1000

/** Writes a gzip and a Brotli copy beside every text file: the server sends them as they are. */
function copies(): Plugin {
  return {
    name: 'compressed-copies',
    apply: 'build',
    closeBundle() {
      for (const name of readdirSync(OUT, { recursive: true, encoding: 'utf8' })) {
        const path = join(OUT, name)
        if (!COMPRESSED.test(name) || statSync(path).size < COMPRESSED_FROM) continue
        const bytes = readFileSync(path)
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
      }
    },
  }
}

export default defineConfig({
  plugins: [vue({ features: { optionsAPI: false } }), copies()],
  resolve: { alias: { fflate: fileURLToPath(new URL('src/map/no-fflate.ts', import.meta.url)) } },
  server: { proxy: { '/v1': api } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'maplibre', test: /maplibre-gl/ }] } },
    },
  },
})
