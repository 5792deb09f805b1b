// The rest of Noto Sans SC in slices: a character outside the first-paint fonts fetches only the slice it is in.
import unicode from '@fontsource-variable/noto-sans-sc/unicode.json'

const files = import.meta.glob<string>('/node_modules/@fontsource-variable/noto-sans-sc/files/*-wght-normal.woff2', {
  query: '?url',
  import: 'default',
  eager: true,
})

export interface Slice {
  url: string
  ranges: string[]
}

/** Every slice with its ranges, the most usual characters first. */
export const slices: readonly Slice[] = Object.entries(unicode as Record<string, string>)
  .map(([name, ranges]) => ({
    url: files[`/node_modules/@fontsource-variable/noto-sans-sc/files/noto-sans-sc-${name.replace(/[[\]]/g, '')}-wght-normal.woff2`] ?? '',
    ranges: ranges.split(','),
  }))
  .filter((slice) => slice.url !== '')
  .reverse()

/** Declares the slices to the page; nothing is fetched before a character needs it. */
export function declareSlices(): void {
  const rules = slices.map(
    ({ url, ranges }) =>
      `@font-face{font-family:"City Rest";font-weight:100 900;font-display:swap;src:url(${url}) format("woff2");unicode-range:${ranges.join(',')}}`,
  )
  const sheet = document.createElement('style')
  sheet.textContent = rules.join('')
  document.head.append(sheet)
}
