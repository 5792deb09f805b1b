// An object in words: title, kind, facts with units and age, and where they come from.
import type { Severity } from '../api/types.ts'
import { alerts, los, now, points, stations, units } from '../feed/live.ts'
import { age, dateTime, number } from '../i18n/format.ts'
import { locale, pick, t, type Key } from '../i18n/index.ts'
import zh from '../i18n/zh-CN.ts'
import { iconOf, type Icon } from '../map/icons.ts'
import { nameOf as pointName } from '../map/points.ts'
import type { Chosen } from '../map/selection.ts'

export interface Fact {
  label: string
  value: string
  unit?: string
  stale?: boolean
}

export interface Told {
  title: string
  kind: string
  icon: Icon
  severity?: Severity
  facts: Fact[]
  source: string
}

/** What stations measure, in the order of HJ 633, with units. */
const POLLUTANTS: readonly ['pm25' | 'pm10' | 'o3' | 'no2' | 'so2' | 'co', string, string][] = [
  ['pm25', 'PM2.5', 'µg/m³'],
  ['pm10', 'PM10', 'µg/m³'],
  ['o3', 'O₃', 'µg/m³'],
  ['no2', 'NO₂', 'µg/m³'],
  ['so2', 'SO₂', 'µg/m³'],
  ['co', 'CO', 'mg/m³'],
]

/** Returns the words of `key` when there are some, else `otherwise`. */
export const named = (key: string, otherwise: string): string => (key in zh ? t(key as Key) : otherwise)

export const highwayName = (highway: string): string => (highway.endsWith('_link') ? t('highway.link') : named(`highway.${highway}`, highway))

/** Told otherwise than as a fact. */
const OWN_PLACE: ReadonlySet<string> = new Set(['lon', 'lat', 'name', 'title'])

const seconds = (since: number): number => Math.max(0, (now.value - since) / 1000)
const aged = (observedAt: number, stale: boolean): Fact => ({ label: t('fact.age'), value: age(seconds(observedAt)), stale })

function nameOf(facts: Chosen['facts']): string {
  const [chinese, english] = [String(facts?.['name_zh'] ?? ''), String(facts?.['name_en'] ?? '')]
  return locale() === 'en' ? english || chinese : chinese || english
}

function link({ fid, facts }: Chosen): Told {
  const level = fid === undefined ? undefined : los.get(fid)
  const told: Fact[] = [{ label: t('fact.state'), value: t(`los.${level ?? 0}` as Key), stale: !level }]
  if (facts?.['highway']) told.push({ label: t('fact.class'), value: highwayName(String(facts['highway'])) })
  if (facts?.['lanes']) told.push({ label: t('fact.lanes'), value: number(Number(facts['lanes'])) })
  if (facts?.['length_m']) told.push({ label: t('fact.length'), value: number(Number(facts['length_m'])), unit: 'm' })
  if (facts?.['free_speed_kmh']) told.push({ label: t('fact.freeSpeed'), value: number(Number(facts['free_speed_kmh'])), unit: 'km/h' })
  if (facts && 'oneway' in facts) told.push({ label: t('fact.direction'), value: t(facts['oneway'] ? 'fact.oneway' : 'fact.twoway') })
  return { title: nameOf(facts) || t('unnamed'), kind: t('kind.link'), icon: 'place', facts: told, source: t('source', { source: t('source.links') }) }
}

function unit({ id }: Chosen): Told {
  const seen = units.get(id)
  const facts: Fact[] = seen
    ? [
        { label: t('fact.speed'), value: number(seen.speed), unit: 'km/h', stale: seen.stale },
        { label: t('fact.heading'), value: number(seen.heading), unit: '°', stale: seen.stale },
        aged(seen.heardAt, seen.stale),
      ]
    : []
  const kind = seen?.kind ?? 'probe'
  return { title: id, kind: t(`kind.${kind}` as Key), icon: iconOf(kind), facts, source: t('source', { source: t('source.units') }) }
}

function air({ id }: Chosen): Told {
  const station = stations.value.find((one) => one.id === id)
  const facts: Fact[] = []
  if (station) {
    const stale = station.stale
    facts.push({ label: 'AQI', value: number(station.aqi), stale })
    if (station.level) facts.push({ label: t('fact.level'), value: t(`aqi.${station.level}` as Key), stale })
    for (const [key, label, unitName] of POLLUTANTS) {
      const value = station[key]
      if (value !== null) facts.push({ label, value: number(value, key === 'co' ? 1 : 0), unit: unitName, stale })
    }
    facts.push(aged(station.observed_at, stale))
  }
  return { title: pick(station?.name) || id, kind: t('kind.air'), icon: 'weather_station', facts, source: t('source', { source: t('source.air') }) }
}

function alert({ id, facts: given }: Chosen): Told {
  const found = alerts.value.find((one) => one.id === id)
  const source = t('source', { source: t('source.alerts', { source: found?.source ?? '' }) })
  if (!found) return { title: nameOf(given) || id, kind: t('kind.alert'), icon: 'place', facts: [], source }
  const facts: Fact[] = [{ label: t('fact.status'), value: t(`status.${found.status}`) }]
  if (found.district) facts.push({ label: t('fact.district'), value: pick(found.district) })
  if (found.place) facts.push({ label: t('fact.place'), value: pick(found.place) })
  facts.push({ label: t('fact.observed'), value: dateTime(found.observed_at) }, aged(found.observed_at, false))
  return { title: found.title, kind: t('kind.alert'), icon: 'place', severity: found.severity as Severity, facts, source }
}

function place({ id, facts: given }: Chosen): Told {
  const kind = String(given?.['kind'] ?? '')
  return {
    title: nameOf(given) || id,
    kind: named(`kind.${kind}`, kind),
    icon: iconOf(kind),
    facts: [{ label: 'ID', value: id }],
    source: t('source', { source: t('source.places') }),
  }
}

/** What a row says of itself, as it says it. */
function point({ id, facts: given }: Chosen): Told {
  const found = [...points].flatMap(([topic, rows]) => rows.filter((row) => row.id === id).map((row) => ({ topic, row })))[0]
  const row: Readonly<Record<string, unknown>> = { ...(found?.row ?? given) }
  const said = Object.entries(row).filter(([key, value]) => !OWN_PLACE.has(key) && ['string', 'number'].includes(typeof value))
  const stale = row['stale'] === true
  const facts = said.map(([label, value]): Fact => ({ label, value: label.endsWith('_at') ? age(seconds(Number(value))) : String(value), stale }))
  const title = found ? pointName(found.row) : id
  return { title, kind: t('kind.point'), icon: 'place', facts, source: t('source', { source: found?.topic ?? '' }) }
}

const TELLERS = { link, unit, air, alert, place, point }

/** Returns what is known of `object` now. */
export const describe = (object: Chosen): Told => TELLERS[object.kind](object)
