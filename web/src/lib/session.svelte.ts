/** Who is signed in, as all pages see it. */
import { goto, invalidate } from '$app/navigation';
import { accepted, answer, api } from '$lib/api/client';
import type { Me, Registration } from '$lib/api/schema';

/** What pages whose documents depend on who is signed in pass to SvelteKit's `depends`. */
export const SESSION = 'referee:session';

class Session {
    me = $state.raw<Me | null>(null);
    /** Who may open an account here. */
    registration = $state<Registration>('open');

    /** Whether the account may create challenges. */
    get mayOrganize(): boolean {
        return this.me !== null && this.me.role !== 'competitor';
    }

    /** Whether the account runs a challenge, as administrators run all. */
    runs({ organizers }: { organizers: readonly string[] }): boolean {
        return this.me !== null && (this.me.role === 'administrator' || organizers.includes(this.me.handle));
    }

    /** Asks the server who is signed in. */
    async refresh(fetch = globalThis.fetch): Promise<void> {
        const current = await answer(api.GET('/api/v1/session', { fetch }));
        this.me = current.me ?? null;
        this.registration = current.registration ?? 'open';
    }

    async signIn(handle: string, password: string): Promise<void> {
        this.me = await answer(api.POST('/api/v1/session', { body: { handle, password } }));
        await invalidate(SESSION);
    }

    /** Signs out; `leave` leads away from what only somebody who is signed in may see. */
    async signOut(leave: () => Promise<void>): Promise<void> {
        await accepted(api.DELETE('/api/v1/session'));
        this.me = null;
        await leave();
        await invalidate(SESSION);
    }
}

export const session = new Session();

/** The address of the sign-in page that leads back to `from` afterwards. */
export function signInAddress(from: URL): string {
    return `/sign-in?next=${encodeURIComponent(from.pathname + from.search)}`;
}

/** Goes to where somebody who has just signed in wanted to be: a path of this site, else the account. */
export async function goOn(from: URL): Promise<void> {
    const next = from.searchParams.get('next') ?? '';
    const ownPath = next.startsWith('/') && !next.startsWith('//') && !next.includes('\\');
    await goto(ownPath ? next : '/account');
}
