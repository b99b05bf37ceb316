"""Realistic titles of sessions: the same ones in every run, in nine languages.

Titles as models give them to coding sessions: a task, a thing, perhaps where. They share words,
as the titles of one person's work do, which is what makes ranking and typing errors hard.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_SEED = 20_241_101

_TASKS = (
    "Fix|Add|Refactor|Investigate|Remove|Update|Document|Test|Speed up|Migrate|Rename|Review"
    "|Explain|Debug|Implement|Replace|Simplify|Upgrade|Clean up|Design|Extract|Revert|Benchmark"
    "|Deprecate|Port|Localize|Validate|Cache|Harden|Trace"
).split("|")

_THINGS = (
    "login redirect|retry backoff|OAuth token refresh|CSV import|dark mode toggle|session timeout"
    "|webhook signature check|rate limiter|password reset email|search index|pagination cursor"
    "|file upload progress|invoice PDF rendering|database connection pool|Redis cache keys"
    "|GraphQL resolver|N+1 query|user avatar cropping|feature flags|audit log|CI pipeline"
    "|Docker image size|Terraform modules|Kubernetes probes|memory leak|race condition"
    "|flaky integration test|type annotations|error boundary|form validation|date picker"
    "|timezone handling|currency rounding|Stripe checkout|tax calculation|email templates"
    "|push notifications|background jobs|cron schedule|S3 presigned URLs|image thumbnails"
    "|Markdown parser|syntax highlighting|command palette|keyboard shortcuts|drag and drop"
    "|undo history|autosave|WebSocket reconnect|server-sent events|HTTP client|proxy settings"
    "|TLS certificates|CORS headers|content security policy|SQL migrations|schema drift"
    "|backup script|log rotation|metrics dashboard|Prometheus exporter|tracing spans|health check"
    "|config loader|environment variables|secrets rotation|CLI arguments|shell completion"
    "|progress bar|plugin loader|dependency injection|event sourcing|message queue|Kafka consumer"
    "|dead letter queue|idempotency keys|transaction isolation|full-text search|fuzzy matching"
    "|geolocation lookup|map tiles|chart tooltips|table sorting|infinite scroll|lazy loading"
    "|bundle size|tree shaking|hot reload|source maps|unit tests|snapshot tests|mock server"
    "|API docs|release notes|license headers|code coverage|lint rules|pre-commit hooks"
    "|monorepo workspaces|package exports|semantic versioning|admin permissions|role hierarchy"
    "|two-factor setup|captcha|spam filter|comment threads|friend requests|leaderboard"
    "|inventory sync|order fulfillment|shipping labels|barcode scanner|loyalty points"
    "|video transcoding|subtitle alignment|audio normalization|PDF annotations|spreadsheet export"
).split("|")

_PLACES = (
    "||||in the payment service|for Safari|on Windows|after upgrading to Node 22|behind a proxy"
    "|in the mobile app|for enterprise accounts|in the billing module|with PostgreSQL 16"
    "|for the public API|in the onboarding flow|on slow networks|for anonymous users"
    "|in the admin panel|before the release|in staging|with Python 3.13|in the checkout page"
    "|for large files|in the React frontend|on ARM64|for multi-tenant setups|in the sync worker"
    "|without downtime|across regions|in the desktop client|for right-to-left languages"
).split("|")

# Of each further language tasks, things and places, joined by its own rule.
_OTHERS: dict[str, tuple[str, str, str, str]] = {
    "de": (
        "{1} {0}{2}",
        "reparieren|hinzufügen|überarbeiten|untersuchen|beschleunigen|dokumentieren|entfernen",
        "Größenberechnung|Anmeldeseite|Rechnungsexport|Suchfunktion|Benachrichtigungen"
        "|Datenbankverbindung|Straßenverzeichnis|Prüfbericht|Übersetzungen|Passwortänderung",
        "| im Kundenportal| für große Dateien| nach dem Update| auf dem Server",
    ),
    "fr": (
        "{0} {1}{2}",
        "Corriger|Ajouter|Réécrire|Déboguer|Accélérer|Documenter|Vérifier",
        "la connexion utilisateur|l'export des factures|le calcul de la TVA|la page d'accueil"
        "|le téléversement d'images|les préférences|la file d'attente|le thème foncé",
        "| côté serveur| pour les abonnés| sous Windows| avant la démo",
    ),
    "es": (
        "{0} {1}{2}",
        "Arreglar|Añadir|Refactorizar|Investigar|Acelerar|Documentar|Eliminar",
        "el inicio de sesión|la búsqueda de productos|el cálculo de envíos|los informes diarios"
        "|la caché de imágenes|el menú de configuración|las notificaciones|la contraseña olvidada",
        "| en producción| para móviles| del panel| con el nuevo diseño",
    ),
    "pt": (
        "{0} {1}{2}",
        "Corrigir|Adicionar|Refatorar|Investigar|Acelerar|Documentar|Remover",
        "a autenticação|o relatório de vendas|a paginação|o envio de e-mails|a integração do Pix"
        "|as permissões|o carrinho de compras|a migração de usuários",
        "| no aplicativo| em produção| para lojistas| antes do lançamento",
    ),
    "ru": (
        "{0} {1}{2}",
        "Исправить|Добавить|Переписать|Проверить|Ускорить|Описать|Удалить",
        "вход в систему|экспорт отчётов|поиск по заказам|загрузку файлов|расчёт скидок"
        "|уведомления|кэш изображений|миграцию базы",
        "| на сервере| для мобильных| после обновления| в админке",
    ),
    "ja": (
        "{2}{1}{0}",
        "を修正|を追加|をリファクタリング|を調査|を高速化|のテスト作成|を削除",
        "ログイン画面|検索機能|請求書の出力|通知設定|データベース接続|画像アップロード|在庫同期"
        "|パスワード再設定",
        "|本番環境の|管理画面の|モバイル版の|大量データの",
    ),
    "zh": (
        "{0}{2}{1}",
        "修复|添加|重构|排查|优化|测试|删除",
        "登录页面|搜索功能|发票导出|通知设置|数据库连接|图片上传|库存同步|密码重置",
        "|生产环境的|后台管理的|移动端的|大文件的",
    ),
    "ko": (
        "{2}{1} {0}",
        "수정|추가|리팩터링|조사|최적화|테스트|삭제",
        "로그인 화면|검색 기능|송장 내보내기|알림 설정|데이터베이스 연결|이미지 업로드|재고 동기화",
        "|운영 환경 |관리자 페이지 |모바일 |대용량 ",
    ),
}
_ENGLISH = 4_400


def distinct_titles() -> list[str]:
    """More than 5,000 different titles, always the same and in the same order."""
    chosen = random.Random(_SEED)
    found: dict[str, None] = {}
    while len(found) < _ENGLISH:
        found.setdefault(_english(chosen))
    for rule, tasks, things, places in _OTHERS.values():
        for task in tasks.split("|"):
            for thing in things.split("|"):
                for place in chosen.sample(places.split("|"), 3):
                    found.setdefault(rule.format(task, thing, place))
    titles = list(found)
    chosen.shuffle(titles)
    return titles


def _english(chosen: random.Random) -> str:
    title = f"{chosen.choice(_TASKS)} {chosen.choice(_THINGS)} {chosen.choice(_PLACES)}".strip()
    if chosen.random() < 0.08:
        title += f" (#{chosen.randint(100, 9_999)})"
    return title


def session_titles(seed: int) -> Iterator[str]:
    """Titles of the sessions of one store, for ever: some repeat, some the tool made up."""
    chosen = random.Random(seed)
    titles = distinct_titles()
    while True:
        title = chosen.choice(titles)
        kind = chosen.random()
        if kind < 0.03:
            day, hour = chosen.randint(1, 28), chosen.randint(0, 23)
            title = f"New session - 2026-05-{day:02}T{hour:02}:14:07.{chosen.randint(0, 999):03}Z"
        elif kind < 0.05:
            title += f" (fork #{chosen.randint(1, 4)})"
        yield title


def child_title(title: str, agent: str) -> str:
    """The title that OpenCode gives to a subagent's session."""
    return f"{title} (@{agent} subagent)"
