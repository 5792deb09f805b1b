// What the environment app draws: air stations, their index in a disc that takes colour only from 轻度污染 (level 3) on.
import type { GeoJSONSource, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import { watch } from 'vue'
import { stations } from '../../feed/live.ts'
import { locale, pick } from '../../i18n/index.ts'
import type { MapPart } from '../../map/part.ts'
import { CHOSEN, HALO, LABEL_DIM } from '../../map/palette.ts'
import { at, scaled } from '../../map/scale.ts'

const airLayers = (): Layer[] => [
  {
    id: 'air',
    type: 'symbol',
    source: 'air',
    layout: {
      'icon-image': ['concat', 'air-', ['get', 'sprite']],
      'icon-allow-overlap': true,
      'text-field': ['get', 'index'],
      'text-font': ['Bold'],
      'text-size': scaled(18),
      'text-allow-overlap': true,
    },
    paint: { 'text-color': CHOSEN },
  },
  {
    id: 'air-name',
    type: 'symbol',
    source: 'air',
    minzoom: at(13.2),
    layout: {
      'text-field': ['get', 'name'],
      'text-font': ['Regular'],
      'text-size': scaled(18),
      'text-anchor': 'top',
      'text-offset': [0, 1.3],
      'text-max-width': 8,
      'text-optional': true,
    },
    paint: { 'text-color': LABEL_DIM, 'text-halo-color': HALO, 'text-halo-width': 1.6 },
  },
]

const sprite = (stale: boolean, level: number | null): string => (stale ? 'stale' : level !== null && level >= 3 ? String(level) : 'normal')

/** Shows the stations and follows them; returns what ends it. */
function driveAir(map: GlMap): () => void {
  return watch(
    [stations, locale],
    () => {
      const features = stations.value.map((station) => ({
        type: 'Feature' as const,
        geometry: { type: 'Point' as const, coordinates: [station.lon, station.lat] },
        properties: {
          id: station.id,
          name: pick(station.name),
          index: station.aqi === null ? '—' : String(station.aqi),
          sprite: sprite(station.stale, station.level),
        },
      }))
      void (map.getSource('air') as GeoJSONSource).setData({ type: 'FeatureCollection', features })
    },
    { immediate: true },
  )
}

const stationsPart: MapPart = {
  topic: 'air',
  height: 'points',
  sources: { air: { type: 'geojson', data: { type: 'FeatureCollection', features: [] } } },
  asked: { air: 'air' },
  layers: airLayers,
  drive: driveAir,
}

export default (): MapPart[] => [stationsPart]
