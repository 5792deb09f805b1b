// Facilities on the map: quiet chips from street level on, names a little later.
import type { LayerSpecification as Layer } from 'maplibre-gl'
import { ICONS } from './icons.ts'
import { HALO, LABEL_DIM } from './palette.ts'
import { at, scaled } from './scale.ts'
import { CITY, NAME } from './style.ts'

/** Drawn by layers of their own, or too many to be drawn at all zooms. */
const EARLY = ['hospital', 'fire_station', 'police_station', 'government', 'station']
const QUIET = ['detector', 'signal', 'camera']
const OWN = ['air_station']

export const placeLayers = (): Layer[] => [
  {
    id: 'place',
    type: 'symbol',
    source: CITY,
    'source-layer': 'place',
    minzoom: at(12.6),
    filter: [
      'all',
      ['!', ['in', ['get', 'kind'], ['literal', OWN]]],
      ['>=', ['zoom'], ['match', ['get', 'kind'], EARLY, at(12.6), QUIET, at(15.4), at(14)]],
    ],
    layout: {
      'icon-image': ['match', ['get', 'kind'], Object.keys(ICONS), ['concat', 'place-', ['get', 'kind']], 'place-place'],
      'icon-padding': 3,
      'text-field': ['step', ['zoom'], '', at(14.2), ['match', ['get', 'kind'], QUIET, '', NAME], at(17), NAME],
      'text-font': ['Regular'],
      'text-size': scaled(18),
      'text-anchor': 'top',
      'text-offset': [0, 0.75],
      'text-max-width': 9,
      'text-optional': true,
      'symbol-sort-key': ['match', ['get', 'kind'], EARLY, 1, QUIET, 3, 2],
    },
    paint: { 'text-color': LABEL_DIM, 'text-halo-color': HALO, 'text-halo-width': 1.6 },
  },
]
