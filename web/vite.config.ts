// How the screens are built: hashed, self-hosted files in cityops/ioc/static, the map library in a chunk of its own.
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const api = process.env['CITYOPS_IOC_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue({ features: { optionsAPI: false } })],
  server: { proxy: { '/v1': api } },
  build: {
    outDir: '../src/cityops/ioc/static',
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
