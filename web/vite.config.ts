// How the screens are built: hashed, self-hosted files in cityops/ioc/static, the map library in a chunk of its own.
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { copies, licences } from './tools/plugins.ts'

const OUT = '../src/cityops/ioc/static'
const api = process.env['CITYOPS_IOC_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue({ features: { optionsAPI: false } }), licences(), copies(OUT)],
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
