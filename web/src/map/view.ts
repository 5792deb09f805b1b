// What a map of the city can do, whichever way it is drawn.
import type { LayerInfo } from '../api/types.ts'
import type { Zone } from './zone.ts'

export interface CityView {
  /** Resolves when the map is drawn; from then on it follows the feed. */
  ready(layers: readonly LayerInfo[]): Promise<void>
  home(): void
  zoomBy(steps: number): void
  /** Fits the map to a window of another shape; one of another size is drawn anew. */
  resize(zone: Zone): void
  /** Adds the font files for characters that the first-paint fonts lack. */
  addFonts(slices: readonly { url: string; ranges: string[] }[]): void
  close(): void
}

const canWebGl2 = (): boolean => document.createElement('canvas').getContext('webgl2') !== null

/** Returns the module that draws the map on this machine: WebGL 2, else plain canvas. */
export function renderer(): Promise<{ createView: typeof import('./glmap.ts').createView }> {
  return canWebGl2() ? import('./glmap.ts') : import('./flatmap.ts')
}
