import { expect, test } from 'vitest';
import { useBrowser } from './browser';

const { visitor } = useBrowser();

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

test('a board is sorted, a picture becomes a table and a theme is chosen by keyboard alone', async () => {
    const who = await visitor();
    await who.goto('/challenges/fashion-mnist/leaderboard');
    await who.page.getByRole('button', { name: 'Team and method' }).focus();
    await who.page.keyboard.press('Enter');
    expect(await who.page.locator('th[aria-sort="ascending"]').textContent()).toContain('Team and method');
    await who.goto('/challenges/fashion-mnist/pictures');
    await who.page.getByRole('radio', { name: 'Picture' }).first().focus();
    await who.page.keyboard.press('ArrowRight');
    await who.page.getByRole('group', { name: 'Error by time, as a table' }).getByRole('row').nth(1).waitFor();
    await who.page.getByRole('button', { name: /^Theme/ }).focus();
    await who.page.keyboard.press('Space');
    await who.page.keyboard.press('Space');
    expect(await who.page.locator('html').getAttribute('data-theme')).toBe('dark');
    await who.page.reload();
    expect(await who.page.locator('html').getAttribute('data-theme')).toBe('dark');
    await who.leave();
});
