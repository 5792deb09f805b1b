// The pages there are; navigation shows exactly these.
import { createRouter, createWebHistory } from 'vue-router'
import type { Key } from './i18n/index.ts'
import BigScreen from './screen/BigScreen.vue'

export const PAGES: readonly { path: string; title: Key }[] = [
  { path: '/', title: 'nav.overview' },
  { path: '/data', title: 'nav.data' },
  { path: '/objects', title: 'nav.objects' },
]

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: BigScreen },
    { path: '/data', component: () => import('./platform/DataPlatform.vue') },
    { path: '/objects', component: () => import('./objects/ObjectsPage.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})
