// Which map layers are switched on: the base map's own and those that the apps declare; remembered on this machine.
import { reactive } from 'vue'
import type { LayerInfo } from '../api/types.ts'
import { t, pick, type Key } from '../i18n/index.ts'

interface Switch {
  id: string
  title: () => string
  initially: boolean
}

const STORED = 'cityops.layers'
const BASE: [string, Key, boolean][] = [
  ['places', 'layer.places', true],
  ['buildings', 'layer.buildings', true],
  ['volumes', 'layer.volumes', false],
  ['districts', 'layer.districts', true],
]

function remembered(): Record<string, boolean> {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? '{}') as Record<string, boolean>
  } catch {
    return {}
  }
}

export const shown = reactive<Record<string, boolean>>({})

/** Returns the switches for the layers that apps declare and for those of the base map; sets each as it was left. */
export function switches(layers: readonly LayerInfo[]): Switch[] {
  const all = [
    ...layers.map((layer) => ({ id: layer.id, title: (): string => pick(layer.title), initially: layer.shown })),
    ...BASE.map(([id, key, initially]) => ({ id, title: (): string => t(key), initially })),
  ]
  const before = remembered()
  for (const { id, initially } of all) shown[id] ??= before[id] ?? initially
  return all
}

export function toggle(id: string): void {
  shown[id] = !shown[id]
  localStorage.setItem(STORED, JSON.stringify(shown))
}
