// Units on the map: response units as sprites from zoom 12 on and counted by cell below, vehicles in traffic as a swarm.
import type { GeoJSONSource, LayerSpecification as Layer, Map as GlMap, SourceSpecification } from 'maplibre-gl'
import { units, unitsChanged, type Unit } from '../feed/live.ts'
import type { Beat } from './beat.ts'
import { CHOSEN, GROUND, UNIT } from './palette.ts'
import { at, scaled } from './scale.ts'
import { isTraffic, type Swarm } from './swarm.ts'

const AGGREGATED_BELOW = 12
const CELL_DEGREES = 0.02

const empty = { type: 'FeatureCollection' as const, features: [] }
export const UNIT_SOURCES: Record<string, SourceSpecification> = {
  units: { type: 'geojson', data: empty },
  'unit-groups': { type: 'geojson', data: empty },
}

export const unitLayers = (): Layer[] => [
  {
    id: 'unit',
    type: 'symbol',
    source: 'units',
    minzoom: at(AGGREGATED_BELOW),
    layout: {
      'icon-image': ['concat', 'unit-', ['get', 'kind'], ['case', ['get', 'stale'], '-stale', '']],
      'icon-size': ['interpolate', ['linear'], ['zoom'], at(AGGREGATED_BELOW), 0.8, at(14), 1],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    },
  },
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

const point = (lon: number, lat: number, properties: Record<string, unknown>) => ({
  type: 'Feature' as const,
  geometry: { type: 'Point' as const, coordinates: [lon, lat] },
  properties,
})

function groups(responders: readonly Unit[]) {
  const cells = new Map<string, { lon: number; lat: number; count: number }>()
  for (const unit of responders) {
    const key = `${Math.floor(unit.lon / CELL_DEGREES)},${Math.floor(unit.lat / CELL_DEGREES)}`
    const cell = cells.get(key) ?? { lon: 0, lat: 0, count: 0 }
    cells.set(key, { lon: cell.lon + unit.lon, lat: cell.lat + unit.lat, count: cell.count + 1 })
  }
  return [...cells.values()].map(({ lon, lat, count }) => point(lon / count, lat / count, { count }))
}

/** Shows the units and moves them with the map's beat; returns what ends it. */
export function driveUnits(map: GlMap, beat: Beat, swarm: Swarm): () => void {
  let responding = true
  const show = (): void => {
    swarm.refresh()
    if (!responding) return
    responding = false
    const responders = [...units.values()].filter((unit) => !isTraffic(unit))
    const apart = map.getZoom() >= at(AGGREGATED_BELOW)
    const features = apart ? responders.map(({ id, kind, lon, lat, stale }) => point(lon, lat, { id, kind, stale })) : groups(responders)
    void (map.getSource(apart ? 'units' : 'unit-groups') as GeoJSONSource).setData({ type: 'FeatureCollection', features })
  }
  const all = (): void => {
    responding = true
    beat.ask(show)
  }
  all()
  map.on('zoomend', all)
  const off = unitsChanged.on(({ moved, gone, full }) => {
    responding ||= full || gone.length > 0 || moved.some((unit) => !isTraffic(unit))
    beat.ask(show)
  })
  return () => {
    off()
    map.off('zoomend', all)
  }
}
