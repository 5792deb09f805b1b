// Where the page begins: language, fonts, routes.
import { createApp } from 'vue'
import App from './App.vue'
import '../dist/fonts/fonts.css'
import { startLocale } from './i18n/index.ts'
import { router } from './router.ts'
import './styles/base.css'

await startLocale()
document.documentElement.dataset['profile'] = new URLSearchParams(location.search).get('profile') === 'desk' ? 'desk' : 'wall'
createApp(App).use(router).mount('#app')
