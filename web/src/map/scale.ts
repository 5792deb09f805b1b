// The wall's size in the map's style: lengths grow with it, and what begins at a zoom begins as much later as the wall is larger.
import type { ExpressionSpecification as Expression } from 'maplibre-gl'

let shift = 0

/** Sets the size of the wall against 1080p for the styles made from now on. */
export function setWall(scale: number): void {
  shift = Math.log2(scale)
}

/** The zoom at which this wall shows what one of 1080p shows at `zoom`. */
export const at = (zoom: number): number => zoom + shift

/** `px` pixels at 1080p, scaled with the wall by the style's global state. */
export const scaled = (px: Expression | number): Expression => ['*', ['global-state', 'scale'], px]
