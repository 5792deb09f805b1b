// The shapes that travel on the feed and from /v1: the feed is not in OpenAPI, so they are written here after cityops.apps.panels.

export interface Text {
  zh: string
  en: string
}

/** Emergency level: 1 = I red, 2 = II orange, 3 = III yellow, 4 = IV blue. */
export type Severity = 1 | 2 | 3 | 4

/** Level of service after GB/T 33171: 1 free flow … 5 severely congested, 0 no fresh data. */
export type Los = 0 | 1 | 2 | 3 | 4 | 5

export interface Reference {
  value: number
  label: Text
}

interface Aged {
  updated_at: number | null
  age_s: number | null
}

export interface Kpi extends Aged {
  key: string
  label: Text
  value: number | null
  unit: Text
  digits: number
  total: number | null
  sub: Text | null
  level: Severity | null
  stale: boolean
  baseline: Reference | null
  threshold: Reference | null
}

export interface KpisData extends Aged {
  items: Kpi[]
}

export interface TrendData extends Aged {
  unit: Text
  series: { key: string; label: Text; style: 'solid' | 'dashed'; points: [number, number | null][] }[]
  threshold: Reference | null
  digits: number
}

export interface BarsData extends Aged {
  unit: Text
  items: { id: string; label: Text; value: number | null; level: Severity | null; sub: Text | null; stale: boolean }[]
  max: number
  threshold: Reference | null
}

export interface Row {
  id: string
  title: Text
  sub: Text | null
  right: Text | null
  right2: Text | null
  badge: Severity | null
  los: Los | null
  lon: number | null
  lat: number | null
  fid: number | null
  since: number | null
  stale: boolean
}

export interface RowsData extends Aged {
  items: Row[]
  total: number
}

export interface HoursData extends Aged {
  unit: Text
  points: [number, number | null][]
  digits: number
}

export type PanelKind = 'kpis' | 'trend' | 'bars' | 'list' | 'hours' | 'link'

export interface PanelInfo {
  id: string
  app: string
  column: 'left' | 'right'
  order: number
  kind: PanelKind
  title: Text
  unit: Text | null
  topic: string
}

export interface LegendItem {
  value: number
  label: Text
  color: string
}

export interface LayerInfo {
  id: string
  app: string
  kind: 'road-state' | 'points' | 'image'
  title: Text
  topic: string
  legend: LegendItem[]
  shown: boolean
  image: string | null
}

export interface CityInfo {
  id: string
  name: Text
  center: [number, number]
  bounds: [number, number, number, number]
  timezone: string
  source: string
  population: number
  counts: Record<string, number>
  tiles: string | null
  districts: { id: string; name: Text; center: [number, number]; population: number }[]
  layers: LayerInfo[]
  topics: string[]
}

export type UnitKind = 'probe' | 'police' | 'fire' | 'ambulance' | 'sprinkler' | 'bus' | 'crew'

/** unit_id, kind, longitude, latitude, heading in degrees, speed in km/h, stale. */
export type UnitRow = [string, UnitKind, number, number, number | null, number | null, boolean]

export interface AirStation {
  id: string
  name: Text
  lon: number
  lat: number
  aqi: number | null
  level: number | null
  primary: string[] | null
  observed_at: number
  stale: boolean
  [pollutant: string]: unknown
}

export interface Alert {
  id: string
  severity: Severity
  category: string
  title: string
  place: Text | null
  district: Text | null
  observed_at: number
  status: 'open' | 'cleared' | 'expired'
  source: string | null
  lon: number | null
  lat: number | null
}

export interface TickerItem {
  at: number
  text: Text
  level: Severity | null
}

export interface DataLink extends Aged {
  delay_p50_ms: number | null
  delay_p99_ms: number | null
  device_delay_p50_ms: number | null
  device_delay_p99_ms: number | null
  rows_per_s: number | null
  messages_per_s: number | null
  quarantined_today: number | null
  push_bytes_per_s: number
  clients: number
  sources: { contract: string; rows_per_s: number; age_s: number | null }[]
}
