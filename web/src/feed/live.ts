// The city now, as the feed tells it: plain tables for what moves, shallow refs for what panels show.
import { computed, shallowReactive, shallowRef } from 'vue'
import type { AirStation, Alert, DataLink, LayerInfo, Los, Mode, PanelInfo, Text, TickerItem, Topics } from '../api/types.ts'
import { Feed, type Envelope } from './feed.ts'
import { Signal } from './signal.ts'

export interface Unit {
  id: string
  kind: string
  lon: number
  lat: number
  heading: number
  speed: number | null
  stale: boolean
  heardAt: number
}

/** A thing at a place, of a topic that no part of this UI knows better. */
export interface Point {
  id: string
  lon: number
  lat: number
  name?: Text | string
  title?: Text | string
  level?: number | null
  stale?: boolean
}

type Delta<T> = Envelope & { set: T[]; del?: string[] }

const NOTICES_KEPT = 30
/** Topics with a table of their own below. */
const KNOWN: ReadonlySet<string> = new Set(['traffic.links', 'units', 'air', 'alerts'])

export const linksChanged = new Signal<{ pairs: readonly number[]; before: readonly number[] }>()
export const unitsChanged = new Signal<{ moved: readonly Unit[]; gone: readonly string[]; full: boolean }>()

/** Level of service by link number (`fid`); a link never heard of has none. */
export const los = new Map<number, Los>()
export const units = new Map<string, Unit>()
export const unitCount = shallowRef(0)
export const stations = shallowRef<readonly AirStation[]>([])
export const alerts = shallowRef<readonly Alert[]>([])
export const notices = shallowRef<readonly TickerItem[]>([])
/** Rows of topics that apps show as points without a drawing of their own, by topic. */
export const points = shallowReactive(new Map<string, readonly Point[]>())
export const panels = shallowReactive(new Map<string, unknown>())
export const dataLink = shallowRef<DataLink>()
export const mode = shallowRef<Mode>('live')

/** The server's clock (epoch ms), ticking once a second. */
export const now = shallowRef(Date.now())

const feed = new Feed()
export const feedState = feed.state
export const isLive = computed(() => feed.state.value === 'live')

function onLinks({ set, full }: Topics['traffic.links']): void {
  const before = full ? [...los.keys()] : []
  if (full) los.clear()
  for (let i = 0; i < set.length; i += 2) los.set(set[i]!, set[i + 1] as Los)
  linksChanged.emit({ pairs: set, before })
}

function onUnits({ t, set, del, full }: Topics['units']): void {
  if (full) units.clear()
  for (const id of del) units.delete(id)
  const moved = set.map(([id, kind, lon, lat, heading, speed, stale]): Unit => {
    const unit = { id, kind, lon, lat, heading: heading ?? 0, speed, stale, heardAt: t }
    units.set(id, unit)
    return unit
  })
  unitCount.value = units.size
  unitsChanged.emit({ moved, gone: del, full })
}

/** Returns the rows after a change: those set replace or join, those deleted go. */
export function changed<T extends { id: string }>(before: readonly T[], { set, del = [], full }: Delta<T>): T[] {
  const byId = new Map((full ? [] : before).map((row) => [row.id, row]))
  for (const row of set) byId.set(row.id, row)
  for (const id of del) byId.delete(id)
  return [...byId.values()]
}

/** Opens the feed for what is published of the page's topics; called once, when city and panels are known. */
export function startLive(published: readonly string[], shown: readonly PanelInfo[], layers: readonly LayerInfo[]): void {
  const on = <T extends keyof Topics>(topic: T, handler: (data: Topics[T]) => void): void => {
    if (published.includes(topic)) feed.on(topic, handler)
  }
  on('clock', (data) => {
    now.value = data.t
    mode.value = data.mode
  })
  on('traffic.links', onLinks)
  on('units', onUnits)
  on('air', (data) => {
    stations.value = changed(stations.value, data)
  })
  on('alerts', (data) => {
    alerts.value = changed(alerts.value, data).sort((a, b) => a.severity - b.severity || b.observed_at - a.observed_at)
  })
  on('ticker', ({ items }) => {
    notices.value = items.slice(0, NOTICES_KEPT)
  })
  on('link', (data) => {
    dataLink.value = data
  })
  for (const { kind, topic } of layers) {
    if (kind !== 'points' || KNOWN.has(topic) || !published.includes(topic)) continue
    feed.on(topic, (data: Delta<Point>) => points.set(topic, changed(points.get(topic) ?? [], data)))
  }
  for (const { id, topic } of shown) {
    if (published.includes(topic)) feed.on(topic, (data: Envelope) => panels.set(id, data))
  }
  feed.start()
}
