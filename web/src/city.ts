// The city on screen and its panels, asked for until the server has them.
import { shallowRef } from 'vue'
import type { CityInfo, PanelInfo } from './api/types.ts'
import { startLive } from './feed/live.ts'
import { setZone } from './i18n/format.ts'

export const city = shallowRef<CityInfo>()
export const panelInfos = shallowRef<readonly PanelInfo[]>([])

const AGAIN_MS = 1_500

async function ask<T>(address: string): Promise<T> {
  for (;;) {
    try {
      const answer = await fetch(address)
      if (answer.ok) return (await answer.json()) as T
    } catch {
      // The server is starting or restarting: the page says so and asks again.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

/** Loads city and panels and opens the feed; called once. */
export async function openCity(): Promise<void> {
  const [found, infos] = await Promise.all([ask<CityInfo>('/v1/city'), ask<PanelInfo[]>('/v1/panels')])
  setZone(found.timezone)
  panelInfos.value = infos
  city.value = found
  startLive(found.topics, infos)
}
