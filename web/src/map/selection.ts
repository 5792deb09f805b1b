// What the user points at, wherever it was chosen: on the map, in a list, in a panel or in the address.
import { shallowRef } from 'vue'

export type ObjectKind = 'link' | 'unit' | 'air' | 'alert' | 'place' | 'point'

export interface Chosen {
  kind: ObjectKind
  id: string
  lon?: number | undefined
  lat?: number | undefined
  /** Tile feature number of a link. */
  fid?: number | undefined
  /** What the map knows of it. */
  facts?: Readonly<Record<string, unknown>> | undefined
}

export const chosen = shallowRef<Chosen>()

export function choose(next: Chosen | undefined): void {
  chosen.value = next
}
