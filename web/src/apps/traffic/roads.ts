// Roads painted by a topic's state: slate while traffic flows, the layer's own colours where it does not.
import type { ExpressionSpecification as Expression, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import type { LegendItem } from '../../api/types.ts'
import { linksChanged, los } from '../../feed/live.ts'
import type { Beat } from '../../map/beat.ts'
import { CHOSEN, ROADS } from '../../map/palette.ts'
import { at, scaled } from '../../map/scale.ts'
import { CITY } from '../../map/style.ts'

const SOURCE = { source: CITY, sourceLayer: 'road' }
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

/** Sets the state of every link known by now and keeps it up to date with the map's beat; returns what ends it. */
export function driveRoads(map: GlMap, beat: Beat): () => void {
  const changed = new Set(los.keys())
  const show = (): void => {
    for (const id of changed) map.setFeatureState({ ...SOURCE, id }, { los: los.get(id) ?? 0 })
    changed.clear()
  }
  beat.ask(show)
  return linksChanged.on(({ pairs, before }) => {
    for (const id of before) changed.add(id)
    for (let i = 0; i < pairs.length; i += 2) changed.add(pairs[i]!)
    beat.ask(show)
  })
}

/** Outlines one link, or none. */
export function chooseRoad(map: GlMap, fid: number | undefined): void {
  map.setFilter('road-chosen', ['==', ['id'], fid ?? -1])
}
