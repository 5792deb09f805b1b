// Points of any app that brings no drawing of its own: a disc in the legend's colour, its name below.
import type { ExpressionSpecification as Expression, GeoJSONSource, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import { watch } from 'vue'
import type { LayerInfo } from '../api/types.ts'
import { points, type Point } from '../feed/live.ts'
import { locale, pick } from '../i18n/index.ts'
import { CHOSEN, GROUND, HALO, LABEL_DIM, UNIT, UNIT_STALE } from './palette.ts'
import type { MapPart } from './part.ts'
import { at, scaled } from './scale.ts'

/** Returns the name of a row, whether it is one text or one in two languages. */
export const nameOf = ({ id, name, title }: Point): string => {
  const named = name ?? title
  return (typeof named === 'string' ? named : pick(named)) || id
}

function layers(id: string, { legend }: LayerInfo): Layer[] {
  const colour = legend.length ? (['match', ['get', 'level'], ...legend.flatMap((item) => [item.value, item.color]), UNIT] as unknown as Expression) : UNIT
  return [
    {
      id,
      type: 'circle',
      source: id,
      paint: {
        'circle-radius': scaled(7),
        'circle-color': ['case', ['get', 'stale'], UNIT_STALE, colour],
        'circle-stroke-color': GROUND,
        'circle-stroke-width': scaled(2),
      },
    },
    {
      id: `${id}-name`,
      type: 'symbol',
      source: id,
      minzoom: at(13),
      layout: {
        'text-field': ['get', 'name'],
        'text-font': ['Regular'],
        'text-size': scaled(18),
        'text-anchor': 'top',
        'text-offset': [0, 0.7],
        'text-max-width': 9,
        'text-optional': true,
      },
      paint: { 'text-color': ['case', ['get', 'stale'], LABEL_DIM, CHOSEN], 'text-halo-color': HALO, 'text-halo-width': 1.6 },
    },
  ]
}

function drive(map: GlMap, id: string, topic: string): () => void {
  return watch(
    [() => points.get(topic), locale],
    ([rows]) => {
      const features = (rows ?? []).map((row) => ({
        type: 'Feature' as const,
        geometry: { type: 'Point' as const, coordinates: [row.lon, row.lat] },
        properties: { ...row, name: nameOf(row), level: row.level ?? 0, stale: row.stale ?? false },
      }))
      void (map.getSource(id) as GeoJSONSource).setData({ type: 'FeatureCollection', features })
    },
    { immediate: true },
  )
}

export function pointsPart(layer: LayerInfo): MapPart {
  const id = `points-${layer.id}`
  return {
    topic: layer.topic,
    height: 'points',
    sources: { [id]: { type: 'geojson', data: { type: 'FeatureCollection', features: [] } } },
    asked: { [id]: 'point' },
    layers: () => layers(id, layer),
    drive: (map) => drive(map, id, layer.topic),
  }
}
