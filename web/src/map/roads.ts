// The roads of the base map, ready to be painted by a level of service: slate while traffic flows, a legend's colours where not.
import type { ExpressionSpecification as Expression, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import type { LegendItem } from '../api/types.ts'
import { CHOSEN, ROADS } from './palette.ts'
import { at, scaled } from './scale.ts'
import { CITY } from './style.ts'

const LINES = { source: CITY, 'source-layer': 'road', type: 'line', layout: { 'line-cap': 'round', 'line-join': 'round' } } as const
const LOS: Expression = ['coalesce', ['feature-state', 'los'], -1]
const LISTED = ROADS.flatMap((road) => road.classes as readonly string[])
/** GB/T 33171 levels 1 and 2 are normal: their colour is the road's. */
const FIRST_ABNORMAL = 3

/** Layers on which roads can be clicked, widest on top. */
export const ROAD_LAYERS = ROADS.map((road) => `road-${road.id}`).reverse()

function width(at11: number, at17: number): Expression {
  return [
    'interpolate',
    ['exponential', 1.45],
    ['zoom'],
    at(9),
    scaled(at11 * 0.6),
    at(11),
    scaled(['+', at11, ['match', LOS, [4, 5], 1.1, 3, 0.7, 0]]),
    at(17),
    scaled(['case', ['get', 'oneway'], at17, at17 / 2]),
  ]
}

/** Two directions on one line lie side by side, right of it. */
const offset = (at17: number): Expression => [
  'interpolate',
  ['exponential', 1.45],
  ['zoom'],
  at(11),
  scaled(['case', ['get', 'oneway'], 0, 0.4]),
  at(17),
  scaled(['case', ['get', 'oneway'], 0, at17 / 4]),
]

const colour = (road: (typeof ROADS)[number], legend: readonly LegendItem[]): Expression => [
  'match',
  LOS,
  [1, 2],
  road.slate,
  ...legend.filter((item) => item.value >= FIRST_ABNORMAL).flatMap((item) => [item.value, item.color]),
  road.idle,
] as unknown as Expression

export function roadLayers(): Layer[] {
  const lines = ROADS.map(
    (road): Layer => ({
      ...LINES,
      id: `road-${road.id}`,
      filter: road.classes.length
        ? ['in', ['get', 'highway'], ['literal', [...road.classes]]]
        : ['!', ['in', ['get', 'highway'], ['literal', LISTED]]],
      paint: { 'line-color': road.idle, 'line-width': width(road.at11, road.at17), 'line-offset': offset(road.at17) },
    }),
  ).reverse()
  const chosen: Layer = {
    ...LINES,
    id: 'road-chosen',
    filter: ['==', ['id'], -1],
    paint: { 'line-color': CHOSEN, 'line-width': scaled(3.2), 'line-offset': offset(14) },
  }
  return [...lines, chosen]
}

/** Colours the roads by the legend of the layer shown on them; an empty legend leaves them plain. */
export function paintRoads(map: GlMap, legend: readonly LegendItem[]): void {
  for (const road of ROADS) map.setPaintProperty(`road-${road.id}`, 'line-color', colour(road, legend))
}

/** Outlines one link, or none. */
export function chooseRoad(map: GlMap, fid: number | undefined): void {
  map.setFilter('road-chosen', ['==', ['id'], fid ?? -1])
}
