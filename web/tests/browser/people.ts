/** What tests arrange beforehand, over the public API: accounts, challenges and submissions. */
import { inject } from 'vitest';
import type { Leaderboard, Split } from '../../src/lib/api/schema';

const DAY_MS = 86_400_000;

/** Somebody with an account and a token. */
export class Person {
    readonly handle: string;
    readonly password: string;
    readonly #token: string;

    private constructor(handle: string, password: string, token: string) {
        this.handle = handle;
        this.password = password;
        this.#token = token;
    }

    /** Opens an account with a password of its own. */
    static async register(handle: string): Promise<Person> {
        const password = passwordOf(handle);
        await request('POST', '/users', JSON.stringify({ handle, password }));
        return Person.signIn(handle, password);
    }

    /** The account of that name, which an earlier test may have opened. */
    static async registerOrSignIn(handle: string): Promise<Person> {
        return Person.register(handle).catch(() => Person.signIn(handle, passwordOf(handle)));
    }

    static async organizer(): Promise<Person> {
        return Person.signIn('organizer', inject('organizerPassword'));
    }

    static async signIn(handle: string, password: string): Promise<Person> {
        const signedIn = await request('POST', '/session', JSON.stringify({ handle, password }));
        const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
        const created = await request('POST', '/me/tokens', JSON.stringify({ name: 'browser tests' }), { cookie });
        return new Person(handle, password, ((await created.json()) as { token: string }).token);
    }

    /** A request in this person's name. `path` begins after `/api/v1`. */
    async ask(method: string, path: string, body?: BodyInit): Promise<Response> {
        return request(method, path, body, { authorization: `Bearer ${this.#token}` });
    }

    /** Whether there is something at this address that this person may see. */
    async exists(path: string): Promise<boolean> {
        return this.ask('GET', path).then(
            () => true,
            () => false,
        );
    }

    /** Sends a file of predictions and waits for its score; answers with the submission's id. */
    async submit(slug: string, predictions: string, method: string): Promise<string> {
        const form = new FormData();
        form.set('file', new File([predictions], 'predictions.csv'));
        form.set('method', method);
        const submission = (await (await this.ask('POST', `/challenges/${slug}/submissions`, form)).json()) as { id: string };
        return eventually(async () => {
            const { status } = (await (await this.ask('GET', `/submissions/${submission.id}`)).json()) as { status: string };
            return status === 'scored' ? submission.id : undefined;
        });
    }
}

function passwordOf(handle: string): string {
    return `${handle} and a long password`;
}

/**
 * A published challenge of `images` images and `classes` classes; image i has label i mod classes. Without `pixels`, an NPY
 * file, it takes predictions only.
 */
export async function publishChallenge(
    organizer: Person,
    settings: { slug: string; title: string } & Record<string, unknown>,
    { images, classes }: { images: number; classes: number },
    pixels?: Uint8Array<ArrayBuffer>,
): Promise<void> {
    const names = Array.from({ length: classes }, (_, index) => ({ name: `class ${String.fromCharCode(97 + index)}` }));
    await organizer.ask('POST', '/challenges', JSON.stringify({ classes: names, ...settings }));
    if (pixels) await organizer.ask('PUT', `/challenges/${settings.slug}/images`, new Blob([pixels]));
    const labels = Array.from({ length: images }, (_, index) => `${index},${index % classes}`);
    await organizer.ask('PUT', `/challenges/${settings.slug}/labels`, `image,label\n${labels.join('\n')}\n`);
    // The scorer seals the labels first. They follow the order, which publishing would refuse.
    await eventually(async () => {
        const challenge = (await (await organizer.ask('GET', `/challenges/${settings.slug}`)).json()) as {
            publishing: { checking: boolean } | null;
        };
        return challenge.publishing?.checking ? undefined : true;
    });
    await organizer.ask('PATCH', `/challenges/${settings.slug}`, JSON.stringify({ known_labels: true, published: true }));
}

/** Closes a challenge, and waits until its private board is there. */
export async function closeChallenge(organizer: Person, slug: string): Promise<void> {
    await organizer.ask('PATCH', `/challenges/${slug}`, JSON.stringify({ schedule: { closes: new Date(Date.now() + 100).toISOString() } }));
    await eventually(async () => ((await organizer.exists(`/challenges/${slug}/leaderboard?split=private`)) ? true : undefined));
}

/**
 * Waits until all `entries` stand on a board with their statistical ranges, which come about a second after the scores: then it
 * stays as it is.
 */
export async function settledBoard(viewer: Person, slug: string, split: Split, entries: number): Promise<void> {
    await eventually(async () => {
        const board = (await (await viewer.ask('GET', `/challenges/${slug}/leaderboard?split=${split}`)).json()) as Leaderboard;
        return board.entries.length === entries && board.entries.every(({ rank_low }) => typeof rank_low === 'number') ? true : undefined;
    });
}

/** Waits for the next day in UTC, by which quotas are counted, where this one ends before a test would. */
export async function awayFromMidnight(): Promise<void> {
    const left = DAY_MS - (Date.now() % DAY_MS);
    if (left < 180_000) await new Promise((resolve) => setTimeout(resolve, left + 1_000));
}

/** Predictions as CSV for {@link publishChallenge}: right except for every `wrongEvery`-th image. */
export function predictions({ images, classes }: { images: number; classes: number }, wrongEvery: number): string {
    const rows = Array.from({ length: images }, (_, index) => {
        const label = index % wrongEvery === 0 ? (index + 1) % classes : index % classes;
        return `${index},${label}`;
    });
    return `image,label1\n${rows.join('\n')}\n`;
}

/** The first defined value of `probe`, asked ten times a second for half a minute. */
export async function eventually<T>(probe: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + 30_000;
    for (;;) {
        const value = await probe();
        if (value !== undefined) return value;
        if (Date.now() > deadline) throw new Error(`still not so after half a minute: ${probe.toString()}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

async function request(method: string, path: string, body?: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
    const json = typeof body === 'string' && body.startsWith('{');
    const answer = await fetch(`${inject('server')}/api/v1${path}`, {
        method,
        body: body ?? null,
        headers: { ...headers, ...(json ? { 'content-type': 'application/json' } : {}) },
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
}
