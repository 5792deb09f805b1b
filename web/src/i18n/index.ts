// The UI's two languages: typed keys, Chinese built in, English fetched when asked for.
import { shallowRef } from 'vue'
import type { Text } from '../api/types.ts'
import zh from './zh-CN.ts'

export type Locale = 'zh-CN' | 'en'
export type Key = keyof typeof zh
export type Words = Record<Key, string>

const STORED = 'cityops.language'
const words = shallowRef<Words>(zh)
const current = shallowRef<Locale>('zh-CN')

export const locale = (): Locale => current.value

/** Returns the text of `key` in the current language, `{name}` places filled from `values`. */
export function t(key: Key, values?: Record<string, string | number>): string {
  const text = words.value[key]
  return values ? text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place)) : text
}

/** Returns the current language's side of a bilingual text, the other one when it is empty. */
export function pick(text: Text | Readonly<Record<string, string>> | null | undefined): string {
  const { zh: chinese = '', en: english = '' } = text ?? {}
  return current.value === 'en' ? english || chinese : chinese || english
}

/** Returns exactly the current language's side: a unit may be a word in one language and nothing in the other. */
export const unitOf = (text: Text | null | undefined): string => (current.value === 'en' ? text?.en : text?.zh) ?? ''

/** Switches the language of everything on the page and remembers it on this machine. */
export async function setLocale(next: Locale): Promise<void> {
  words.value = next === 'en' ? (await import('./en.ts')).default : zh
  current.value = next
  document.documentElement.lang = next
  localStorage.setItem(STORED, next)
}

/** Sets the language asked for in the address (`?lang=en`), else the one remembered, else Chinese. */
export async function startLocale(): Promise<void> {
  const wanted = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(STORED)
  if (wanted === 'en') await setLocale('en')
}
