// The server's API, typed from its description.
import createClient from 'openapi-fetch'
import type { paths } from './schema.d.ts'

export const api = createClient<paths>({ baseUrl: '/' })

const AGAIN_MS = 1_500

/** Returns what `ask` answers, asking again while the server is away or not ready; undefined is not an answer. */
export async function patiently<T>(ask: () => Promise<{ data?: T }>): Promise<T> {
  for (;;) {
    try {
      const { data } = await ask()
      if (data !== undefined) return data
    } catch {
      // The server is starting or restarting: the page says so and asks again.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}
