// The moment the map is drawn: what is not needed before then (charts, the rest of the fonts) waits for it.

const LONGEST_MS = 6_000

let say: () => void
const drawn = new Promise<void>((resolve) => {
  say = resolve
})
const patience = new Promise<void>((resolve) => setTimeout(resolve, LONGEST_MS))

/** Says that the map is drawn, or never will be. */
export function mapStands(): void {
  say()
}

/** Resolves when the map is drawn, at the latest after some seconds. */
export const whenMapStands = (): Promise<void> => Promise.race([drawn, patience])
