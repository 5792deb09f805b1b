// Units on the map: sprites from zoom 12 on; below it vehicles in traffic are dots and response units are counted by cell.
import type { GeoJSONFeatureDiff, GeoJSONSource, LayerSpecification as Layer, Map as GlMap, SourceSpecification } from 'maplibre-gl'
import { units, unitsChanged, type Unit } from '../feed/live.ts'
import { CHOSEN, GROUND, UNIT, UNIT_STALE } from './palette.ts'
import { scaled, textSize } from './style.ts'

const AGGREGATED_BELOW = 12
const CELL_DEGREES = 0.02
/** Vehicles that only show how traffic moves: nobody dispatches them. */
const TRAFFIC_KINDS = ['probe', 'bus']

const isTraffic = ['in', ['get', 'kind'], ['literal', TRAFFIC_KINDS]] as const

const empty = { type: 'FeatureCollection' as const, features: [] }
export const UNIT_SOURCES: Record<string, SourceSpecification> = {
  units: { type: 'geojson', data: empty, promoteId: 'id', buffer: 32, tolerance: 0 },
  'unit-groups': { type: 'geojson', data: empty },
}

export const UNIT_LAYERS: Layer[] = [
  {
    id: 'unit-dot',
    type: 'circle',
    source: 'units',
    maxzoom: 13.5,
    filter: isTraffic as never,
    paint: {
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 9, scaled(1.1), 13, scaled(2.4)],
      'circle-color': ['case', ['get', 'stale'], UNIT_STALE, UNIT],
      'circle-opacity': ['interpolate', ['linear'], ['zoom'], 10, 0.55, 13, 0.9],
    },
  },
  {
    id: 'unit-vehicle',
    type: 'symbol',
    source: 'units',
    minzoom: 13.5,
    filter: isTraffic as never,
    layout: {
      'icon-image': ['case', ['get', 'stale'], 'unit-arrow-stale', 'unit-arrow'],
      'icon-size': ['interpolate', ['linear'], ['zoom'], 13.5, 0.55, 16, 1],
      'icon-rotate': ['get', 'heading'],
      'icon-rotation-alignment': 'map',
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    },
  },
  {
    id: 'unit',
    type: 'symbol',
    source: 'units',
    minzoom: AGGREGATED_BELOW,
    filter: ['!', isTraffic as never],
    layout: {
      'icon-image': ['concat', 'unit-', ['get', 'kind'], ['case', ['get', 'stale'], '-stale', '']],
      'icon-size': ['interpolate', ['linear'], ['zoom'], AGGREGATED_BELOW, 0.8, 14, 1],
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    },
  },
  {
    id: 'unit-group',
    type: 'circle',
    source: 'unit-groups',
    maxzoom: AGGREGATED_BELOW,
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
    maxzoom: AGGREGATED_BELOW,
    layout: { 'text-field': ['to-string', ['get', 'count']], 'text-font': ['Bold'], 'text-size': textSize(18), 'text-allow-overlap': true },
    paint: { 'text-color': CHOSEN, 'text-halo-color': GROUND, 'text-halo-width': 0.6 },
  },
]

const point = (lon: number, lat: number) => ({ type: 'Point' as const, coordinates: [lon, lat] })
const feature = (unit: Unit) => ({
  type: 'Feature' as const,
  geometry: point(unit.lon, unit.lat),
  properties: { id: unit.id, kind: unit.kind, heading: unit.heading, stale: unit.stale },
})

function groups() {
  const cells = new Map<string, { lon: number; lat: number; count: number }>()
  for (const unit of units.values()) {
    if (TRAFFIC_KINDS.includes(unit.kind)) continue
    const key = `${Math.floor(unit.lon / CELL_DEGREES)},${Math.floor(unit.lat / CELL_DEGREES)}`
    const cell = cells.get(key) ?? { lon: 0, lat: 0, count: 0 }
    cells.set(key, { lon: cell.lon + unit.lon, lat: cell.lat + unit.lat, count: cell.count + 1 })
  }
  return [...cells.values()].map(({ lon, lat, count }) => ({
    type: 'Feature' as const,
    geometry: point(lon / count, lat / count),
    properties: { count },
  }))
}

/** Shows every unit known by now and moves them with the feed; returns what ends it. */
export function driveUnits(map: GlMap): () => void {
  const source = map.getSource('units') as GeoJSONSource
  const grouped = map.getSource('unit-groups') as GeoJSONSource
  const onMap = new Set<string>()

  const group = (): void => {
    if (map.getZoom() < AGGREGATED_BELOW) void grouped.setData({ type: 'FeatureCollection', features: groups() })
  }
  const all = (): void => {
    onMap.clear()
    for (const id of units.keys()) onMap.add(id)
    void source.setData({ type: 'FeatureCollection', features: [...units.values()].map(feature) })
  }
  const change = (moved: readonly Unit[], gone: readonly string[]): void => {
    const add = moved.filter((unit) => !onMap.has(unit.id))
    const update = moved
      .filter((unit) => onMap.has(unit.id))
      .map(
        (unit): GeoJSONFeatureDiff => ({
          id: unit.id,
          newGeometry: point(unit.lon, unit.lat),
          addOrUpdateProperties: [
            { key: 'heading', value: unit.heading },
            { key: 'stale', value: unit.stale },
          ],
        }),
      )
    const remove = gone.filter((id) => onMap.delete(id))
    for (const unit of add) onMap.add(unit.id)
    if (add.length || update.length || remove.length) void source.updateData({ add: add.map(feature), update, remove })
  }
  all()
  group()
  map.on('zoomend', group)
  const off = unitsChanged.on(({ moved, gone, full }) => {
    if (full) all()
    else change(moved, gone)
    group()
  })
  return () => {
    off()
    map.off('zoomend', group)
  }
}
