// Numbers, times and ages as people of each language write them.
import { locale, t } from './index.ts'

type Options = Intl.NumberFormatOptions & Intl.DateTimeFormatOptions
const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>()
let zone = 'Asia/Shanghai'

/** Sets the time zone that every time on the screen is written in. */
export function setZone(timezone: string): void {
  zone = timezone
  made.clear()
}

function numbers(options: Options): Intl.NumberFormat {
  const key = `n${locale()}${JSON.stringify(options)}`
  let format = made.get(key) as Intl.NumberFormat | undefined
  if (!format) made.set(key, (format = new Intl.NumberFormat(locale(), options)))
  return format
}

function dates(options: Options): Intl.DateTimeFormat {
  const key = `d${locale()}${JSON.stringify(options)}`
  let format = made.get(key) as Intl.DateTimeFormat | undefined
  if (!format) made.set(key, (format = new Intl.DateTimeFormat(locale(), { timeZone: zone, hourCycle: 'h23', ...options })))
  return format
}

/** From here on numbers are written short: 481.2万, 4.8M. */
const SHORT_FROM = 1_000_000

export const number = (value: number | null | undefined, digits = 0): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? '—'
    : Math.abs(value) >= SHORT_FROM
      ? numbers({ notation: 'compact', maximumFractionDigits: 1 }).format(value)
      : numbers({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)

export const clock = (ms: number): string => dates({ hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms)
export const hourMinute = (ms: number): string => dates({ hour: '2-digit', minute: '2-digit' }).format(ms)
export const day = (ms: number): string => dates({ month: 'long', day: 'numeric' }).format(ms)
export const weekday = (ms: number): string => dates({ weekday: 'long' }).format(ms)
export const dateTime = (ms: number): string =>
  dates({ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms)

/** Returns the hour of day (0–23) of `ms` in the city. */
export const hourOfDay = (ms: number): number => Number(dates({ hour: 'numeric' }).formatToParts(ms).find((p) => p.type === 'hour')?.value)

/** Returns an age as "5 秒前", "3 分钟前", "2 小时前", "4 天前". */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '—'
  if (seconds < 1) return t('age.now')
  if (seconds < 100) return t('age.seconds', { n: Math.round(seconds) })
  if (seconds < 5400) return t('age.minutes', { n: Math.round(seconds / 60) })
  if (seconds < 129600) return t('age.hours', { n: Math.round(seconds / 3600) })
  return t('age.days', { n: Math.round(seconds / 86400) })
}

/** Returns a duration of `ms` milliseconds as [number, unit], in seconds from one second on. */
export function duration(ms: number | null | undefined): [string, string] {
  if (ms === null || ms === undefined) return ['—', '']
  return ms < 1000 ? [number(ms), 'ms'] : [number(ms / 1000, ms < 10_000 ? 1 : 0), 's']
}

/** Returns a rate in bytes a second as [number, unit]. */
export function byteRate(bytes: number | null | undefined): [string, string] {
  if (bytes === null || bytes === undefined) return ['—', '']
  return bytes < 1000 ? [number(bytes), 'B/s'] : [number(bytes / 1000, bytes < 100_000 ? 1 : 0), 'KB/s']
}
