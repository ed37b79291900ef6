/** The time, once a second, for whatever shows how long something has been or will be. */
import { createSubscriber } from 'svelte/reactivity';

class Clock {
    #subscribe = createSubscriber((update) => {
        const timer = setInterval(update, 1_000);
        return () => clearInterval(timer);
    });

    /** Milliseconds since 1970; reading it in a component keeps that component up to date. */
    get now(): number {
        this.#subscribe();
        return Date.now();
    }
}

export const clock = new Clock();
