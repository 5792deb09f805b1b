// The base map: ground, water, green, buildings, districts, labels; the apps add their own layers between.
import type {
  ExpressionSpecification as Expression,
  FontFacesSpecification,
  LayerSpecification as Layer,
  StyleSpecification,
} from 'maplibre-gl'
import regularUrl from '../../dist/fonts/city-400.woff2?url'
import boldUrl from '../../dist/fonts/city-600.woff2?url'
import ranges from '../../dist/fonts/ranges.json'
import { at, scaled, setWall } from './scale.ts'
import { GREEN, GROUND, HALO, LABEL, LABEL_DIM, WATER } from './palette.ts'

export const CITY = 'city'

/** Where app layers go: each of them names the base layer it is drawn under. */
export const UNDER_LABELS = 'road-name'
export const UNDER_WATER = 'water'

/** The map's two fonts. `slices` cover what the first-paint fonts lack. */
export function fontFaces(slices: readonly { url: string; ranges: string[] }[] = []): FontFacesSpecification {
  const rest = slices.map((slice) => ({ url: slice.url, 'unicode-range': slice.ranges }))
  return {
    Regular: [{ url: regularUrl, 'unicode-range': ranges }, ...rest],
    Bold: [{ url: boldUrl, 'unicode-range': ranges }, ...rest],
  }
}

/** Name of a feature in the language that the map's global state says. */
export const NAME: Expression = [
  'case',
  ['all', ['==', ['global-state', 'language'], 'en'], ['!=', ['coalesce', ['get', 'name_en'], ''], '']],
  ['get', 'name_en'],
  ['coalesce', ['get', 'name_zh'], ['get', 'name'], ''],
]

const halo = { 'text-halo-color': HALO, 'text-halo-width': 1.6, 'text-halo-blur': 0.4 }

function areaLabel(kind: 'water' | 'green', colour: string, minzoom: number): Layer {
  return {
    id: `${kind}-name`,
    type: 'symbol',
    source: CITY,
    'source-layer': 'label',
    minzoom,
    filter: ['==', ['get', 'kind'], kind],
    layout: { 'text-field': NAME, 'text-font': ['Regular'], 'text-size': scaled(18), 'text-letter-spacing': 0.15, 'text-padding': 12 },
    paint: { 'text-color': colour, ...halo },
  }
}

const layers = (): Layer[] => [
  { id: 'ground', type: 'background', paint: { 'background-color': GROUND } },
  {
    id: 'green',
    type: 'fill',
    source: CITY,
    'source-layer': 'green',
    paint: { 'fill-color': GREEN, 'fill-opacity': ['interpolate', ['linear'], ['zoom'], at(10), 0.75, at(14), 1] },
  },
  { id: 'water', type: 'fill', source: CITY, 'source-layer': 'water', paint: { 'fill-color': WATER } },
  {
    id: 'building',
    type: 'fill',
    source: CITY,
    'source-layer': 'building',
    minzoom: at(13),
    paint: {
      'fill-color': ['interpolate', ['linear'], ['get', 'height'], 0, '#131f2c', 30, '#1a2938', 90, '#243647', 200, '#31465a'],
      'fill-opacity': ['interpolate', ['linear'], ['zoom'], at(13), 0, at(13.6), 0.9],
      'fill-outline-color': '#26374a',
    },
  },
  {
    id: 'building-volume',
    type: 'fill-extrusion',
    source: CITY,
    'source-layer': 'building',
    minzoom: at(14.5),
    layout: { visibility: 'none' },
    paint: {
      'fill-extrusion-color': ['interpolate', ['linear'], ['get', 'height'], 0, '#1a2735', 60, '#2a3c4e', 200, '#43586c'],
      'fill-extrusion-height': ['get', 'height'],
      'fill-extrusion-opacity': 0.92,
    },
  },
  {
    id: 'district-line',
    type: 'line',
    source: CITY,
    'source-layer': 'district',
    paint: {
      'line-color': '#7389a0',
      'line-opacity': 0.5,
      'line-width': ['interpolate', ['linear'], ['zoom'], at(9), scaled(0.8), at(14), scaled(1.6)],
      'line-dasharray': [5, 4],
    },
  },
  {
    id: UNDER_LABELS,
    type: 'symbol',
    source: CITY,
    'source-layer': 'label',
    minzoom: at(12.6),
    filter: [
      'all',
      ['==', ['get', 'kind'], 'road'],
      ['>=', ['zoom'], ['match', ['get', 'highway'], ['residential', 'service', 'unclassified', 'living_street'], at(15.6), 'tertiary', at(14.4), at(12.6)]],
    ],
    layout: {
      'symbol-placement': 'line',
      'symbol-spacing': 420,
      'text-field': NAME,
      'text-font': ['Regular'],
      'text-size': scaled(18),
      'text-letter-spacing': 0.08,
      'text-max-angle': 28,
      'text-padding': 8,
    },
    paint: { 'text-color': LABEL_DIM, ...halo },
  },
  areaLabel('green', '#6f9484', at(13)),
  areaLabel('water', '#6e9dc2', at(10.5)),
  {
    id: 'district-name',
    type: 'symbol',
    source: CITY,
    'source-layer': 'label',
    maxzoom: at(15),
    filter: ['==', ['get', 'kind'], 'district'],
    layout: {
      'text-field': NAME,
      'text-font': ['Bold'],
      'text-size': scaled(21),
      'text-letter-spacing': ['case', ['==', ['global-state', 'language'], 'en'], 0.02, 0.14],
      'text-max-width': 12,
      'text-padding': 4,
      'text-variable-anchor-offset': ['center', [0, 0], 'top', [0, 1.2], 'bottom', [0, -1.2], 'left', [1.2, 0], 'right', [-1.2, 0]],
    },
    paint: { 'text-color': LABEL, ...halo, 'text-halo-width': 2 },
  },
]

/** Returns the style of the city's base map over the tile archive at `tiles`. */
export function baseStyle(tiles: string, language: string, scale: number): StyleSpecification {
  setWall(scale)
  return {
    version: 8,
    state: { language: { default: language }, scale: { default: scale } },
    'font-faces': fontFaces(),
    sources: { [CITY]: { type: 'vector', url: `pmtiles://${new URL(tiles, location.href)}` } },
    layers: layers(),
    transition: { duration: 0, delay: 0 },
  }
}
