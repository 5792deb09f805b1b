// Units on the map: each drawn by the swarm; far out, response units are counted by cell, for a crowd of chips says nothing.
import type { GeoJSONSource, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import { units, unitsChanged } from '../feed/live.ts'
import type { Beat } from './beat.ts'
import type { MapPart } from './part.ts'
import { CHOSEN, GROUND, UNIT } from './palette.ts'
import { at, scaled } from './scale.ts'
import { AGGREGATED_BELOW, isTraffic, type Swarm } from './swarm.ts'

const CELL_DEGREES = 0.02
/** A count by cell hardly changes: it is made anew this often. */
const COUNTED_MS = 5_000

const unitLayers = (): Layer[] => [
  {
    id: 'unit-group',
    type: 'circle',
    source: 'unit-groups',
    maxzoom: at(AGGREGATED_BELOW),
    paint: {
      'circle-radius': scaled(13),
      'circle-color': 'rgba(24, 36, 50, 0.92)',
      'circle-stroke-color': UNIT,
      'circle-stroke-width': 1.2,
    },
  },
  {
    id: 'unit-group-count',
    type: 'symbol',
    source: 'unit-groups',
    maxzoom: at(AGGREGATED_BELOW),
    layout: { 'text-field': ['to-string', ['get', 'count']], 'text-font': ['Bold'], 'text-size': scaled(18), 'text-allow-overlap': true },
    paint: { 'text-color': CHOSEN, 'text-halo-color': GROUND, 'text-halo-width': 0.6 },
  },
]

function groups() {
  const cells = new Map<string, { lon: number; lat: number; count: number }>()
  for (const unit of units.values()) {
    if (isTraffic(unit)) continue
    const key = `${Math.floor(unit.lon / CELL_DEGREES)},${Math.floor(unit.lat / CELL_DEGREES)}`
    const cell = cells.get(key) ?? { lon: 0, lat: 0, count: 0 }
    cells.set(key, { lon: cell.lon + unit.lon, lat: cell.lat + unit.lat, count: cell.count + 1 })
  }
  return [...cells.values()].map(({ lon, lat, count }) => ({
    type: 'Feature' as const,
    geometry: { type: 'Point' as const, coordinates: [lon / count, lat / count] },
    properties: { count },
  }))
}

/** Shows the units and moves them with the map's beat; returns what ends it. */
function driveUnits(map: GlMap, beat: Beat, swarm: Swarm): () => void {
  let countedAt = -Infinity
  const show = (): void => {
    swarm.refresh()
    if (map.getZoom() >= at(AGGREGATED_BELOW) || performance.now() - countedAt < COUNTED_MS) return
    countedAt = performance.now()
    void (map.getSource('unit-groups') as GeoJSONSource).setData({ type: 'FeatureCollection', features: groups() })
  }
  const move = (): void => beat.ask(show)
  move()
  map.on('zoomend', move)
  const off = unitsChanged.on(move)
  return () => {
    off()
    map.off('zoomend', move)
  }
}

export const unitsPart = (swarm: Swarm): MapPart => ({
  topic: 'units',
  height: 'points',
  sources: { 'unit-groups': { type: 'geojson', data: { type: 'FeatureCollection', features: [] } } },
  layers: () => [swarm, ...unitLayers()],
  drive: (map, beat) => driveUnits(map, beat, swarm),
  show: (map, visible) => {
    swarm.visible = visible
    map.triggerRepaint()
  },
})
