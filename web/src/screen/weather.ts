// The weather in the top bar: the newest observation of the city's stations, asked for once a minute.
import { computed, shallowRef } from 'vue'
import { api } from '../api/client.ts'
import { now } from '../feed/live.ts'
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
const STALE_AFTER_MS = 2 * 3_600_000
/** Lower bounds of Beaufort 1–12 in m/s (GB/T 28591). */
const BEAUFORT = [0.3, 1.6, 3.4, 5.5, 8, 10.8, 13.9, 17.2, 20.8, 24.5, 28.5, 32.7]

const newest = shallowRef<Observation>()

async function refresh(): Promise<void> {
  try {
    const { data } = await api.GET('/v1/rows/{contract}', { params: { path: { contract: 'WeatherObserved' }, query: { limit: 1 } } })
    newest.value = (data?.rows[0] as Observation | undefined) ?? newest.value
  } catch {
    // Nothing new; the old observation greys out by its age.
  }
}

/** Asks now and every minute from now on. */
export function followWeather(): void {
  void refresh()
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
