// Alerts on the map: a badge with numeral and shape, a quiet disc under it, its title below.
import type { GeoJSONSource, LayerSpecification as Layer, Map as GlMap } from 'maplibre-gl'
import { watch } from 'vue'
import { alerts } from '../feed/live.ts'
import type { MapPart } from './part.ts'
import { CHOSEN, HALO, SEVERITY } from './palette.ts'
import { scaled } from './scale.ts'

const alertLayers = (): Layer[] => [
  {
    id: 'alert-disc',
    type: 'circle',
    source: 'alerts',
    paint: {
      'circle-radius': scaled(30),
      'circle-color': ['match', ['get', 'severity'], 1, SEVERITY[1], 2, SEVERITY[2], 3, SEVERITY[3], SEVERITY[4]],
      'circle-opacity': 0.2,
      'circle-stroke-width': 1,
      'circle-stroke-opacity': 0.5,
      'circle-stroke-color': ['match', ['get', 'severity'], 1, SEVERITY[1], 2, SEVERITY[2], 3, SEVERITY[3], SEVERITY[4]],
    },
  },
  {
    id: 'alert',
    type: 'symbol',
    source: 'alerts',
    layout: {
      'icon-image': ['concat', 'alert-', ['to-string', ['get', 'severity']]],
      'icon-allow-overlap': true,
      'text-field': ['get', 'title'],
      'text-font': ['Bold'],
      'text-size': scaled(18),
      'text-anchor': 'top',
      'text-offset': [0, 1.75],
      'text-max-width': 11,
      'text-optional': true,
      'symbol-sort-key': ['get', 'severity'],
    },
    paint: { 'text-color': CHOSEN, 'text-halo-color': HALO, 'text-halo-width': 2 },
  },
]

/** Shows the open alerts and follows them; returns what ends it. */
function driveAlerts(map: GlMap): () => void {
  return watch(
    alerts,
    () => {
      const features = alerts.value
        .filter((alert) => alert.lon !== null && alert.lat !== null)
        .map((alert) => ({
          type: 'Feature' as const,
          geometry: { type: 'Point' as const, coordinates: [alert.lon!, alert.lat!] },
          properties: { id: alert.id, severity: alert.severity, title: alert.title },
        }))
      void (map.getSource('alerts') as GeoJSONSource).setData({ type: 'FeatureCollection', features })
    },
    { immediate: true },
  )
}

export const alertsPart: MapPart = {
  topic: 'alerts',
  height: 'top',
  sources: { alerts: { type: 'geojson', data: { type: 'FeatureCollection', features: [] } } },
  asked: { alert: 'alert' },
  layers: alertLayers,
  drive: driveAlerts,
}
