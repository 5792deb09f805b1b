// A picture laid over the map (an interpolated surface), fetched when shown and again when its topic changes.
import type { ImageSource, Map as GlMap } from 'maplibre-gl'

interface Picture {
  url: string
  bounds: [number, number, number, number]
  at: number
}

type Corners = [[number, number], [number, number], [number, number], [number, number]]

const corners = ([west, south, east, north]: Picture['bounds']): Corners => [
  [west, north],
  [east, north],
  [east, south],
  [west, south],
]

/** Returns what brings the picture at `address` (.png; its description is beside it, .json) up to date, drawn under layer `before`. */
export function pictureOn(map: GlMap, id: string, address: string, before: string): () => Promise<void> {
  let shownAt = 0
  return async () => {
    const answer = await fetch(address.replace(/\.png$/, '.json'))
    if (!answer.ok) return
    const { url, bounds, at } = (await answer.json()) as Picture
    if (at === shownAt) return
    shownAt = at
    const source = map.getSource(id) as ImageSource | undefined
    if (source) {
      source.updateImage({ url, coordinates: corners(bounds) })
      return
    }
    map.addSource(id, { type: 'image', url, coordinates: corners(bounds) })
    map.addLayer({ id, type: 'raster', source: id, paint: { 'raster-opacity': 0.8, 'raster-fade-duration': 0, 'raster-resampling': 'linear' } }, before)
  }
}
