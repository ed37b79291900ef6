/** Every address of the pages, for what is checked on each of them. */
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Leaderboard } from '../../src/lib/api/schema';
import type { Visitor } from './browser';
import { closeChallenge, Person, predictions, publishChallenge, settledBoard } from './people';

export interface PageAddress {
    /** For file names. */
    name: string;
    path: string;
    /** Who looks: a visitor, a competitor with submissions, or the organizer. */
    as: 'visitor' | 'competitor' | 'organizer';
    /** Found when the page shows what it is about. */
    shows: string;
}

const SLUG = 'closed-series';
const SIZE = { images: 400, classes: 4 };

/** A closed challenge with both boards, which the tests of one file share; made by whichever comes first. */
export async function closedChallenge(): Promise<{ slug: string; competitor: Person; submission: string }> {
    const organizer = await Person.organizer();
    const competitor = await Person.registerOrSignIn('ada');
    if (!(await organizer.exists(`/challenges/${SLUG}`))) {
        const settings = { slug: SLUG, title: 'A closed one', series: 'fashion-mnist', leaderboard: { public_fraction: 0.5 }, description: 'Four classes, long ago.' };
        await publishChallenge(organizer, settings, SIZE);
        await competitor.submit(SLUG, predictions(SIZE, 4), 'Every fourth wrong');
        await (await Person.registerOrSignIn('grace')).submit(SLUG, predictions(SIZE, 10), 'Every tenth wrong');
        await (await Person.registerOrSignIn('alan')).submit(SLUG, predictions(SIZE, 9), 'Every ninth wrong');
        await closeChallenge(organizer, SLUG);
        // A page that is measured does not change meanwhile.
        for (const split of ['public', 'private'] as const) await settledBoard(organizer, SLUG, split, 3);
    }
    const { items } = (await (await competitor.ask('GET', `/challenges/${SLUG}/submissions`)).json()) as { items: { id: string }[] };
    const [submission] = items;
    if (!submission) throw new Error('ada has no submission');
    return { slug: SLUG, competitor, submission: submission.id };
}

export interface ArrangedPages {
    /** Looks at each page, in one browser for each kind of people; the pages are scrolled through before. */
    visitAll(
        visitor: (options: BrowserContextOptions) => Promise<Visitor>,
        options: BrowserContextOptions,
        look: (address: PageAddress, page: Page) => Promise<void>,
    ): Promise<void>;
}

/** All pages, with something on each of them. */
export async function arrangedPages(): Promise<ArrangedPages> {
    const { slug, competitor, submission } = await closedChallenge();
    const organizer = await Person.organizer();
    const open = '/challenges/fashion-mnist';
    const board = (await (await organizer.ask('GET', `${open}/leaderboard`)).json()) as Leaderboard;
    const model = board.entries.find(({ team }) => team === 'lenet5')?.submission;
    if (!model) throw new Error('the demo has no lenet5');
    const pages: PageAddress[] = [
        { name: 'home', path: '/', as: 'visitor', shows: 'article' },
        { name: 'challenge', path: open, as: 'visitor', shows: 'canvas' },
        { name: 'leaderboard', path: `${open}/leaderboard`, as: 'visitor', shows: 'tr[data-row]' },
        { name: 'leaderboard-closed', path: `/challenges/${slug}/leaderboard`, as: 'visitor', shows: 'th:has-text("Shift")' },
        { name: 'pictures', path: `${open}/pictures`, as: 'visitor', shows: 'svg[class*="plot"]' },
        { name: 'pictures-closed', path: `/challenges/${slug}/pictures`, as: 'visitor', shows: 'svg[class*="plot"]' },
        { name: 'data', path: `${open}/data`, as: 'visitor', shows: 'table' },
        { name: 'history', path: '/history', as: 'visitor', shows: 'svg[class*="plot"]' },
        { name: 'reference', path: '/reference', as: 'visitor', shows: 'article' },
        { name: 'sign-in', path: '/sign-in', as: 'visitor', shows: 'form' },
        { name: 'sign-up', path: '/sign-up', as: 'visitor', shows: 'form' },
        { name: 'submit-signed-out', path: `${open}/submit`, as: 'visitor', shows: 'h1' },
        { name: 'submission', path: `/submissions/${submission}`, as: 'visitor', shows: 'table' },
        { name: 'submission-model', path: `/submissions/${model}`, as: 'visitor', shows: 'canvas' },
        { name: 'submit', path: `${open}/submit`, as: 'competitor', shows: 'form' },
        { name: 'submissions', path: `/challenges/${slug}/submissions`, as: 'competitor', shows: 'h1' },
        { name: 'submission-own', path: `/submissions/${submission}`, as: 'competitor', shows: 'table' },
        { name: 'account', path: '/account', as: 'competitor', shows: 'h1' },
        { name: 'organize', path: '/organize', as: 'organizer', shows: 'h1' },
        { name: 'organize-new', path: '/organize?new', as: 'organizer', shows: 'form' },
        { name: 'organize-challenge', path: '/organize/fashion-mnist', as: 'organizer', shows: 'table' },
        { name: 'organize-closed', path: `/organize/${slug}`, as: 'organizer', shows: 'table' },
        { name: 'organize-files', path: '/organize/fashion-mnist/files', as: 'organizer', shows: 'table' },
        { name: 'organize-settings', path: '/organize/fashion-mnist/settings', as: 'organizer', shows: 'form' },
        { name: 'organize-submissions', path: '/organize/fashion-mnist/submissions', as: 'organizer', shows: 'table' },
        { name: 'organize-queue', path: '/organize/fashion-mnist/queue', as: 'organizer', shows: 'dl' },
        { name: 'missing', path: '/challenges/no-such-challenge', as: 'visitor', shows: 'h1' },
    ];
    return {
        visitAll: async (visitor, options, look) => {
            for (const as of ['visitor', 'competitor', 'organizer'] as const) {
                const who = await visitor(options);
                if (as !== 'visitor') await who.signIn(as === 'competitor' ? competitor : organizer);
                // The browser's own line about what is not there.
                who.expectTrouble(/404.*no-such-challenge/);
                for (const address of pages.filter((page) => page.as === as)) {
                    await who.goto(address.path);
                    await who.page.locator(address.shows).first().waitFor();
                    await who.seeAll();
                    await look(address, who.page);
                }
                await who.leave();
            }
        },
    };
}
