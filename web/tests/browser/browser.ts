/** Debian's Chromium, and visitors in it who notice when something is wrong. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject } from 'vitest';

export type Theme = 'light' | 'dark';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser for the tests of one file, started before the first and closed after the last. */
export function useBrowser(): { visitor: (options?: BrowserContextOptions) => Promise<Visitor> } {
    let browser: Browser | undefined;
    beforeAll(async () => {
        const executablePath = process.env.REFEREE_CHROMIUM ?? CANDIDATES.find((candidate) => existsSync(candidate));
        if (!executablePath) throw new Error('no Chromium found: apt install chromium, or set REFEREE_CHROMIUM');
        browser = await chromium.launch({
            executablePath,
            args: [
                '--disable-background-networking',
                '--disable-component-update',
                '--disable-sync',
                '--disable-quic',
                '--no-first-run',
                // Chromium's own sandbox refuses to work for root, as which containers run.
                ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
            ],
        });
    });
    afterAll(() => browser?.close());
    return {
        visitor: async (options = {}) => {
            if (!browser) throw new Error('the browser has not started');
            const context = await browser.newContext({
                baseURL: inject('server'),
                viewport: { width: 1280, height: 900 },
                locale: 'en-GB',
                timezoneId: 'Europe/Berlin',
                permissions: ['clipboard-read', 'clipboard-write'],
                ...options,
            });
            return new Visitor(context, await context.newPage());
        },
    };
}

/** Somebody in front of a browser of their own. What goes wrong in it is remembered until {@link leave}. */
export class Visitor {
    readonly page: Page;
    readonly #context: BrowserContext;
    readonly #troubles: string[] = [];
    #expected: RegExp[] = [];

    constructor(context: BrowserContext, page: Page) {
        this.#context = context;
        this.page = page;
        const server = new URL(inject('server')).host;
        page.on('console', (message) => {
            if (message.type() === 'error' || message.type() === 'warning') {
                this.#troubles.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
            }
        });
        page.on('pageerror', (error) => this.#troubles.push(`uncaught: ${error.stack ?? error.message}`));
        page.on('request', (request) => {
            const url = new URL(request.url());
            if (['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) && url.host !== server) {
                this.#troubles.push(`request to a third party: ${request.url()}`);
            }
        });
    }

    /** Trouble that the test itself brings about, such as the browser's line about a refused request. */
    expectTrouble(...patterns: RegExp[]): void {
        this.#expected.push(...patterns);
    }

    /** Goes to an address of the server, and waits until the page has started. */
    async goto(address: string): Promise<void> {
        await this.page.goto(address);
        try {
            await this.page.locator('.app main h1').first().waitFor();
        } catch (cause) {
            throw new Error(`${address} does not start: ${this.#troubles.join('\n')}`, { cause });
        }
    }

    /** Signs in, as the form would: the session's cookie is this browser's from now on. */
    async signIn({ handle, password }: { handle: string; password: string }): Promise<void> {
        const signedIn = await this.#context.request.post('/api/v1/session', { data: { handle, password } });
        expect(signedIn.status()).toBe(200);
    }

    /** Scrolls to the end and back, so that everything that waits to be in sight is there. */
    async seeAll(): Promise<void> {
        await this.page.evaluate(async () => {
            for (let top = 0; top < document.documentElement.scrollHeight; top += window.innerHeight / 2) {
                window.scrollTo(0, top);
                // What is in sight is told with a frame, however long the machine takes for one.
                await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
            }
            window.scrollTo(0, 0);
        });
        await this.page.waitForTimeout(150);
    }

    /** Ends the visit; fails if there was a console error, an uncaught exception or a request to a third party. */
    async leave(): Promise<void> {
        // An answer that a test is still changing comes to nothing.
        await this.page.unrouteAll({ behavior: 'ignoreErrors' });
        await this.#context.close();
        const unexpected = this.#troubles.filter((trouble) => !this.#expected.some((pattern) => pattern.test(trouble)));
        expect(unexpected).toEqual([]);
    }
}
