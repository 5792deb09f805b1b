// Walls run for months: once a night, when nobody is touching the screen, the page begins anew.
import { isLive } from '../feed/live.ts'
import { hourOfDay } from '../i18n/format.ts'

const NIGHT_HOUR = 4
const CHECK_MS = 60_000
const AT_LEAST_MS = 2 * 3_600_000

let touchedAt = 0

/** Reloads the page in the night hour of the city, when the feed is up and the screen untouched for a quarter of an hour. */
export function scheduleReload(): void {
  const began = Date.now()
  for (const sign of ['pointerdown', 'keydown'] as const) addEventListener(sign, () => (touchedAt = Date.now()), { passive: true })
  setInterval(() => {
    const due = hourOfDay(Date.now()) === NIGHT_HOUR && Date.now() - began > AT_LEAST_MS
    if (due && isLive.value && Date.now() - touchedAt > 15 * CHECK_MS) location.reload()
  }, CHECK_MS)
}
