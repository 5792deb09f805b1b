// Facilities on the map: quiet chips from street level on, names a little later.
import type { LayerSpecification as Layer } from 'maplibre-gl'
import { ICONS } from './icons.ts'
import { HALO, LABEL_DIM } from './palette.ts'
import { CITY, NAME, textSize } from './style.ts'

/** Drawn by layers of their own, or too many to be drawn at all zooms. */
const EARLY = ['hospital', 'fire_station', 'police_station', 'government']
const OWN = ['air_station']

export const PLACE_LAYERS: Layer[] = [
  {
    id: 'place',
    type: 'symbol',
    source: CITY,
    'source-layer': 'place',
    minzoom: 12.6,
    filter: [
      'all',
      ['!', ['in', ['get', 'kind'], ['literal', OWN]]],
      ['any', ['in', ['get', 'kind'], ['literal', EARLY]], ['>=', ['zoom'], 14.4]],
    ],
    layout: {
      'icon-image': ['match', ['get', 'kind'], Object.keys(ICONS), ['concat', 'place-', ['get', 'kind']], 'place-place'],
      'icon-padding': 3,
      'text-field': ['step', ['zoom'], '', 14.2, NAME],
      'text-font': ['Regular'],
      'text-size': textSize(18),
      'text-anchor': 'top',
      'text-offset': [0, 0.75],
      'text-max-width': 9,
      'text-optional': true,
      'symbol-sort-key': ['match', ['get', 'kind'], EARLY, 1, ['detector', 'signal', 'camera'], 3, 2],
    },
    paint: { 'text-color': LABEL_DIM, 'text-halo-color': HALO, 'text-halo-width': 1.6 },
  },
]
