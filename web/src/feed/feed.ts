// The change feed: one server-sent event stream for everything on the page, reopened by itself, its state always known.
import { shallowRef } from 'vue'

export type FeedState = 'connecting' | 'live' | 'lost'

/** What every event carries: when it was sent (epoch ms) and whether it replaces the topic's state. */
export interface Envelope {
  t: number
  full: boolean
}

const SILENCE_MS = 6_000
const LONGEST_WAIT_MS = 10_000

export class Feed {
  readonly state = shallowRef<FeedState>('connecting')
  private source: EventSource | undefined
  private readonly handlers = new Map<string, (data: never) => void>()
  private readonly address: string
  private lastId = ''
  private heardAt = 0
  private wait = 500
  private retry: ReturnType<typeof setTimeout> | undefined
  private watch: ReturnType<typeof setInterval> | undefined

  constructor(address = '/v1/feed') {
    this.address = address
  }

  /** Calls `handler` with every event of `topic`. To be called before `start`. */
  on<T extends Envelope>(topic: string, handler: (data: T) => void): void {
    this.handlers.set(topic, handler)
  }

  start(): void {
    this.watch = setInterval(() => this.listen(), 1_000)
    this.open()
  }

  stop(): void {
    clearInterval(this.watch)
    clearTimeout(this.retry)
    this.source?.close()
  }

  private open(): void {
    this.source?.close()
    this.heardAt = Date.now()
    const query = new URLSearchParams({ topics: [...this.handlers.keys()].join(',') })
    if (this.lastId) query.set('last_event_id', this.lastId)
    const source = new EventSource(`${this.address}?${query}`)
    this.source = source
    for (const [topic, handler] of this.handlers) {
      source.addEventListener(topic, (event: MessageEvent<string>) => {
        this.heardAt = Date.now()
        this.wait = 500
        if (event.lastEventId) this.lastId = event.lastEventId
        if (this.state.value !== 'live') this.state.value = 'live'
        handler(JSON.parse(event.data) as never)
      })
    }
    source.onerror = () => this.reopen()
  }

  /** A stream that says nothing is as lost as a closed one: the server's clock ticks every second. */
  private listen(): void {
    if (this.retry === undefined && Date.now() - this.heardAt > SILENCE_MS) this.reopen()
  }

  private reopen(): void {
    this.source?.close()
    if (this.retry !== undefined) return
    this.state.value = 'lost'
    this.retry = setTimeout(() => {
      this.retry = undefined
      this.open()
    }, this.wait)
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS)
  }
}
