// The city on screen and its panels, asked for until the server has them.
import { shallowRef } from 'vue'
import { api, patiently } from './api/client.ts'
import type { CityInfo, PanelInfo } from './api/types.ts'
import { startLive } from './feed/live.ts'
import { setZone } from './i18n/format.ts'

export const city = shallowRef<CityInfo>()
export const panelInfos = shallowRef<readonly PanelInfo[]>([])

/** Loads city and panels and opens the feed; called once. */
export async function openCity(): Promise<void> {
  const [found, infos] = await Promise.all([patiently(() => api.GET('/v1/city')), patiently(() => api.GET('/v1/panels'))])
  setZone(found.timezone)
  panelInfos.value = infos
  city.value = found
  startLive(found.topics, infos, found.layers)
}
