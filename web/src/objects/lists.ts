// Every object of the map as a row: those that move or change come from the feed, the others are asked for.
import { computed, shallowRef, type ComputedRef } from 'vue'
import type { Severity, Text } from '../api/types.ts'
import { alerts, los, now, stations, unitCount, units } from '../feed/live.ts'
import { number } from '../i18n/format.ts'
import { pick, t, type Key } from '../i18n/index.ts'
import { NUMERALS } from '../map/icons.ts'
import type { Chosen, ObjectKind } from '../map/selection.ts'
import { highwayName, named } from './describe.ts'

export interface ObjectRow {
  id: string
  name: string
  kind: string
  now: string
  stale: boolean
  object: Chosen
}

export const KINDS: readonly ObjectKind[] = ['alert', 'link', 'unit', 'air', 'place']

const PLACE_KINDS = [
  'hospital', 'fire_station', 'police_station', 'government', 'station', 'square', 'school', 'park', 'bridge', 'weather_station',
  'construction_site', 'camera', 'detector', 'signal',
] // prettier-ignore

interface Place {
  id: string
  kind: string
  name: Text
  lon: number
  lat: number
}

interface Link {
  fid: number
  id: string
  name: Text
  highway: string
  lanes: number
  length_m: number
  free_speed_kmh: number
  oneway: boolean
  lon: number
  lat: number
}

const places = shallowRef<readonly Place[]>()
const links = shallowRef<readonly Link[]>()

async function load<T>(address: string): Promise<readonly T[]> {
  const answer = await fetch(address)
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
  return (await answer.json()) as T[]
}

/** Fetches what a kind's rows are made of, once. */
export async function prepare(kind: ObjectKind): Promise<void> {
  if (kind === 'place') places.value ??= await load<Place>(`/v1/places?limit=10000&${PLACE_KINDS.map((one) => `kind=${one}`).join('&')}`)
  if (kind === 'link') links.value ??= await load<Link>('/v1/links')
}

function alertRows(): ObjectRow[] {
  return alerts.value.map((one) => ({
    id: one.id,
    name: one.title,
    kind: t('level', { numeral: NUMERALS[one.severity as Severity] }),
    now: [t(`status.${one.status}`), pick(one.district)].filter(Boolean).join(' · '),
    stale: false,
    object: { kind: 'alert', id: one.id, lon: one.lon ?? undefined, lat: one.lat ?? undefined },
  }))
}

function unitRows(): ObjectRow[] {
  // Units move without telling the framework: their list is as new as the clock.
  void [now.value, unitCount.value]
  return [...units.values()].map((one) => ({
    id: one.id,
    name: one.id,
    kind: t(`kind.${one.kind}` as Key),
    now: one.speed === null ? '' : `${number(one.speed)} km/h`,
    stale: one.stale,
    object: { kind: 'unit', id: one.id, lon: one.lon, lat: one.lat },
  }))
}

function airRows(): ObjectRow[] {
  return stations.value.map((one) => ({
    id: one.id,
    name: pick(one.name),
    kind: t('kind.air_station'),
    now: one.aqi === null ? '—' : `AQI ${number(one.aqi)}${one.level ? ` ${t(`aqi.${one.level}` as Key)}` : ''}`,
    stale: one.stale,
    object: { kind: 'air', id: one.id, lon: one.lon, lat: one.lat },
  }))
}

function placeRows(): ObjectRow[] {
  return (places.value ?? []).map((one) => ({
    id: one.id,
    name: pick(one.name) || one.id,
    kind: named(`kind.${one.kind}`, one.kind),
    now: '',
    stale: false,
    object: { kind: 'place', id: one.id, lon: one.lon, lat: one.lat, facts: { kind: one.kind, name_zh: one.name.zh, name_en: one.name.en } },
  }))
}

/** The most congested first. */
function linkRows(): ObjectRow[] {
  const level = (fid: number): number => los.get(fid) ?? 0
  return (links.value ?? [])
    .map((one) => ({
      id: one.id,
      name: `${pick(one.name) || t('unnamed')} ${one.id}`,
      kind: highwayName(one.highway),
      now: t(`los.${level(one.fid)}` as Key),
      stale: level(one.fid) === 0,
      object: {
        kind: 'link' as const,
        id: one.id,
        fid: one.fid,
        lon: one.lon,
        lat: one.lat,
        facts: { ...one, name_zh: one.name.zh, name_en: one.name.en },
      },
    }))
    .sort((a, b) => level(b.object.fid) - level(a.object.fid))
}

const ROWS: Record<ObjectKind, () => ObjectRow[]> = { alert: alertRows, link: linkRows, unit: unitRows, air: airRows, place: placeRows }

/** Returns the rows of a kind whose name or number contains `wanted`. */
export function rowsOf(kind: () => ObjectKind, wanted: () => string): ComputedRef<ObjectRow[]> {
  return computed(() => {
    const needle = wanted().trim().toLowerCase()
    const rows = ROWS[kind()]()
    return needle ? rows.filter((row) => `${row.name} ${row.id} ${row.kind}`.toLowerCase().includes(needle)) : rows
  })
}
