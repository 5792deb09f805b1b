// Every object of the map as a row: what moves or changes comes from the feed, links and places are asked for in pages.
import { shallowRef } from 'vue'
import { api } from '../api/client.ts'
import type { components } from '../api/schema.d.ts'
import type { Severity } from '../api/types.ts'
import { alerts, los, now, points, stations, unitCount, units } from '../feed/live.ts'
import { number } from '../i18n/format.ts'
import { pick, t, type Key } from '../i18n/index.ts'
import { NUMERALS } from '../map/icons.ts'
import { nameOf } from '../map/points.ts'
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

/** A list that grows by pages: what is known of it so far, and how long it is. */
export interface List {
  rows(): ObjectRow[]
  total(): number
  more(): Promise<void>
}

type Place = components['schemas']['PlaceInfo']
type Link = components['schemas']['LinkInfo']

/** Kinds there is something of in any city; points only when an app shows some. */
export const kinds = (): ObjectKind[] => ['alert', 'link', 'unit', 'air', 'place', ...(points.size ? (['point'] as const) : [])]

const PAGE = 100
const FIRST_ABNORMAL = 3

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
    kind: named(`kind.${one.kind}`, one.kind),
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

function pointRows(): ObjectRow[] {
  return [...points].flatMap(([topic, rows]) =>
    rows.map((row) => ({
      id: row.id,
      name: nameOf(row),
      kind: topic,
      now: '',
      stale: row.stale ?? false,
      object: { kind: 'point' as const, id: row.id, lon: row.lon, lat: row.lat },
    })),
  )
}

function placeRow(one: Place): ObjectRow {
  return {
    id: one.id,
    name: pick(one.name) || one.id,
    kind: named(`kind.${one.kind}`, one.kind),
    now: '',
    stale: false,
    object: { kind: 'place', id: one.id, lon: one.lon, lat: one.lat, facts: { kind: one.kind, name_zh: one.name.zh, name_en: one.name.en } },
  }
}

function linkRow(one: Link): ObjectRow {
  const level = los.get(one.fid) ?? 0
  const facts = { ...one, name_zh: one.name.zh, name_en: one.name.en }
  return {
    id: one.id,
    name: `${pick(one.name) || t('unnamed')} ${one.id}`,
    kind: highwayName(one.highway),
    now: t(`los.${level}` as Key),
    stale: level === 0,
    object: { kind: 'link', id: one.id, fid: one.fid, lon: one.lon, lat: one.lat, facts },
  }
}

/** Returns a list of the feed's rows: all known at once, shown page by page. */
function told(all: () => ObjectRow[], wanted: string): List {
  const needle = wanted.trim().toLowerCase()
  const shown = shallowRef(PAGE)
  const matching = (): ObjectRow[] => all().filter((row) => `${row.name} ${row.id} ${row.kind}`.toLowerCase().includes(needle))
  return {
    rows: () => matching().slice(0, shown.value),
    total: () => matching().length,
    more: async () => {
      shown.value += PAGE
    },
  }
}

/** Returns a list that the server is asked for: `first` in front, when given. */
function asked<T extends { id: string }>(
  row: (item: T) => ObjectRow,
  page: (offset: number) => Promise<{ total: number; items: T[] } | undefined>,
  first?: () => Promise<{ items: T[] } | undefined>,
): List {
  const items = shallowRef<readonly T[]>([])
  const total = shallowRef(0)
  let offset = 0
  let begun = first === undefined
  return {
    rows: () => {
      void now.value
      return items.value.map(row)
    },
    total: () => total.value,
    more: async () => {
      if (!begun) {
        begun = true
        items.value = (await first!())?.items ?? []
      }
      const found = await page(offset)
      if (!found) return
      offset += found.items.length
      total.value = found.total
      const known = new Set(items.value.map((item) => item.id))
      items.value = [...items.value, ...found.items.filter((item) => !known.has(item.id))]
    },
  }
}

/** The most congested links first. */
const congested = (): number[] =>
  [...los]
    .filter(([, level]) => level >= FIRST_ABNORMAL)
    .sort(([, a], [, b]) => b - a)
    .slice(0, PAGE)
    .map(([fid]) => fid)

function links(wanted: string): List {
  const page = async (offset: number) => (await api.GET('/v1/objects/links', { params: { query: { q: wanted, offset, limit: PAGE } } })).data
  const worst = congested()
  const first = async () => (await api.GET('/v1/objects/links', { params: { query: { fid: worst, limit: PAGE } } })).data
  return asked<Link>(linkRow, page, wanted.trim() === '' && worst.length ? first : undefined)
}

function places(wanted: string): List {
  return asked<Place>(placeRow, async (offset) => (await api.GET('/v1/objects/places', { params: { query: { q: wanted, offset, limit: PAGE } } })).data)
}

const LISTS: Record<ObjectKind, (wanted: string) => List> = {
  alert: (wanted) => told(alertRows, wanted),
  link: links,
  unit: (wanted) => told(unitRows, wanted),
  air: (wanted) => told(airRows, wanted),
  place: places,
  point: (wanted) => told(pointRows, wanted),
}

/** Returns the list of a kind's objects whose name or number contains `wanted`. */
export const listOf = (kind: ObjectKind, wanted: string): List => LISTS[kind](wanted)
