import { AxeBuilder } from '@axe-core/playwright';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Theme, useBrowser, type Visitor } from './browser';
import { allPages, type PageAddress } from './pages';
import type { Person } from './people';

const { visitor } = useBrowser();
let pages: PageAddress[];
let people: Record<'competitor' | 'organizer', Person>;
beforeAll(async () => {
    const arranged = await allPages();
    pages = arranged.pages;
    people = arranged;
});

async function visit(address: PageAddress, theme: Theme, width: number): Promise<Visitor> {
    const who = await visitor({ colorScheme: theme, viewport: { width, height: 900 } });
    if (address.as !== 'visitor') await who.signIn(people[address.as]);
    if (address.name === 'missing') who.expectTrouble(/404/);
    await who.goto(address.path);
    await who.page.locator(address.shows).first().waitFor();
    await who.seeAll();
    return who;
}

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
    test('axe finds no violation on any page', async () => {
        const found: string[] = [];
        for (const address of pages) {
            const who = await visit(address, theme, theme === 'light' ? 1280 : 400);
            const { violations } = await new AxeBuilder({ page: who.page }).analyze();
            found.push(
                ...violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${address.path}: ${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`)),
            );
            await who.leave();
        }
        expect(found).toEqual([]);
    }, 240_000);
});

test('no page is wider than a phone', async () => {
    const wide: string[] = [];
    for (const address of pages) {
        const who = await visit(address, 'light', 360);
        const width = await who.page.evaluate(() => document.documentElement.scrollWidth);
        if (width > 360) wide.push(`${address.path}: ${width}`);
        await who.leave();
    }
    expect(wide).toEqual([]);
}, 240_000);

test('the content is one key away, and the focus is seen', async () => {
    const who = await visitor();
    await who.goto('/challenges/fashion-mnist/leaderboard');
    await who.page.keyboard.press('Tab');
    const skip = who.page.getByRole('link', { name: 'Skip to the content' });
    expect(await skip.evaluate((link) => link === document.activeElement)).toBe(true);
    await who.page.keyboard.press('Enter');
    expect(await who.page.locator('main').evaluate((main) => main === document.activeElement)).toBe(true);
    await who.page.keyboard.press('Tab');
    const outline = await who.page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle);
    expect(outline).toBe('solid');
    await who.leave();
});
