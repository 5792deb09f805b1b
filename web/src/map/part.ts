// A part of the map: what draws one topic of the feed. Apps bring theirs in `apps/<name>/map.ts`.
import type { AddLayerObject, Map as GlMap, SourceSpecification } from 'maplibre-gl'
import type { LayerInfo } from '../api/types.ts'
import type { Beat } from './beat.ts'
import type { ObjectKind } from './selection.ts'

export interface MapPart {
  readonly topic: string
  /** Where its layers lie: among the points, or above everything. */
  readonly height: 'points' | 'top'
  readonly sources?: Readonly<Record<string, SourceSpecification>>
  /** Layers on which something can be pointed at, and what is there. */
  readonly asked?: Readonly<Record<string, ObjectKind>>
  layers(): AddLayerObject[]
  /** Draws what is known and follows the feed; returns what ends it. */
  drive(map: GlMap, beat: Beat): () => void
  /** Does what a switch says beyond showing and hiding the part's layers. */
  show?(map: GlMap, visible: boolean, layer: LayerInfo): void
}

interface App {
  default: (layers: readonly LayerInfo[]) => MapPart[]
}

/** Returns the parts of all apps for the layers they declare. */
export function appParts(layers: readonly LayerInfo[]): MapPart[] {
  const apps = import.meta.glob<App>('../apps/*/map.ts', { eager: true })
  return Object.values(apps).flatMap((app) => app.default(layers))
}
