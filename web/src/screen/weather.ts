// The weather in the top bar: the newest observation of the city's stations, asked for once a minute.
import { computed, shallowRef, watch } from 'vue'
import { api } from '../api/client.ts'
import { isLive, mode, now } from '../feed/live.ts'
import { number } from '../i18n/format.ts'
import { t, type Key } from '../i18n/index.ts'

interface Observation {
  station_id: string
  observed_at: number
  temperature: number | null
  wind_speed: number | null
  wind_direction: number | null
  precipitation: number | null
}

const EVERY_MS = 60_000
/** The first event of the clock says whether the screen is live. */
const AFTER_CLOCK_MS = 500
const STALE_AFTER_MS = 2 * 3_600_000
/** Lower bounds of Beaufort 1–12 in m/s (GB/T 28591). */
const BEAUFORT = [0.3, 1.6, 3.4, 5.5, 8, 10.8, 13.9, 17.2, 20.8, 24.5, 28.5, 32.7]

const newest = shallowRef<Observation>()

async function refresh(): Promise<void> {
  if (mode.value === 'replay') return // A recording holds no observations.
  try {
    const { data } = await api.GET('/v1/rows/{contract}', { params: { path: { contract: 'WeatherObserved' }, query: { limit: 1 } } })
    newest.value = (data?.rows[0] as Observation | undefined) ?? newest.value
  } catch {
    // Nothing new; the old observation greys out by its age.
  }
}

/** Asks as soon as the feed is there, and every minute from now on. */
export function followWeather(): void {
  watch(isLive, (live) => live && void setTimeout(refresh, AFTER_CLOCK_MS), { immediate: true })
  setInterval(refresh, EVERY_MS)
}

function wind({ wind_speed: speed, wind_direction: from }: Observation): string {
  if (speed === null || speed === undefined) return ''
  const force = BEAUFORT.filter((bound) => speed >= bound).length
  if (force === 0 || from === null || from === undefined) return t('weather.calm')
  const direction = t(`wind.${Math.round((from % 360) / 45) % 8}` as Key)
  return t('weather.wind', { direction, force })
}

function rain(mm: number | null | undefined): string {
  if (!mm || mm < 0.1) return ''
  return t(mm < 2.5 ? 'weather.lightRain' : mm < 8 ? 'weather.rain' : 'weather.heavyRain')
}

/** The weather in words, and whether it is old; undefined while nothing is known. */
export const weather = computed(() => {
  const seen = newest.value
  if (!seen) return undefined
  const degrees = seen.temperature === null || seen.temperature === undefined ? '' : `${number(seen.temperature)} ℃`
  const text = [rain(seen.precipitation), degrees, wind(seen)].filter(Boolean).join(' ')
  return { text, stale: now.value - seen.observed_at > STALE_AFTER_MS, source: seen.station_id ?? '' }
})
