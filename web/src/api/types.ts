// The names this UI uses for what the server says: all of them from its own description (npm run types).
import type { components } from './schema.d.ts'

type Schemas = components['schemas']

export type Topics = Schemas['FeedTopics']
export type CityInfo = Schemas['CityInfo']
export type LayerInfo = Schemas['LayerInfo']
export type LegendItem = Schemas['LegendItem']
export type PanelInfo = Schemas['PanelInfo']
export type PanelKind = PanelInfo['kind']
export type Text = Schemas['Text']

export type KpisData = Schemas['Kpis']
export type Kpi = Schemas['Kpi']
export type TrendData = Schemas['Trend']
export type BarsData = Schemas['Bars']
export type RowsData = Schemas['Rows']
export type Row = Schemas['Row']
export type HoursData = Schemas['Hours']
export type DataLink = Schemas['LinkState']

export type AirStation = Schemas['StationRow']
export type Alert = Schemas['AlertRow']
export type TickerItem = Schemas['TickerItem']
export type UnitRow = Schemas['UnitsEvent']['set'][number]
export type Mode = Schemas['ClockEvent']['mode']

/** Emergency level: 1 = I red, 2 = II orange, 3 = III yellow, 4 = IV blue. */
export type Severity = NonNullable<TickerItem['level']>

/** Level of service after GB/T 33171: 1 free flow … 5 severely congested, 0 no fresh data. */
export type Los = 0 | 1 | 2 | 3 | 4 | 5
