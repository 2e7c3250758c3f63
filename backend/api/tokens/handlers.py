"""`/tokens`: the caller's own tokens for programs. They may do what the caller may; there are no scopes."""

from collections.abc import Awaitable

from backend.api.base import WholeWrites
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.secret_bodies import read_secret_body
from backend.api.tokens.schemas import TokenCreate, TokenDeleted, TokenList, TokenMade, token_out
from backend.domain.errors import ForbiddenError
from backend.domain.text import Text

_MADE = Text("令牌已创建，只显示这一次", "The token was made; it is shown this once")
_REMOVED = Text("令牌已删除", "The token was removed")
_USERS_ONLY = Text(
    "令牌属于用户：请先添加用户并以其身份登录", "A token is a user's: add a user and sign in with the name"
)


class OwnTokensHandler(WholeWrites):
    """A handler for who is a user."""

    def prepare(self) -> Awaitable[None] | None:
        """Let in users. Raises ForbiddenError."""
        checking = super().prepare()
        if self.request.method != "OPTIONS" and not self.caller.is_user:
            raise ForbiddenError(_USERS_ONLY)
        return checking

    @property
    def user_id(self) -> str:
        """Whose tokens."""
        return self.caller.user_id or ""


class TokensHandler(OwnTokensHandler):
    """All tokens of the caller."""

    async def get(self) -> None:
        """List them, oldest first."""
        self.read_query(NoQuery)
        found = await self.services.users.tokens_of(self.user_id)
        self.write_data({"items": [token_out(one) for one in found], "next_cursor": None})

    async def post(self) -> None:
        """Make one."""
        self.read_query(NoQuery)
        body = read_secret_body(TokenCreate, self.read_body())
        user = await self.services.users.get(self.user_id)
        made, secret = await self.services.users.add_token(user, body.label, by=self.caller.name)
        self.write_data({**token_out(made), "token": secret}, _MADE)


class TokenHandler(OwnTokensHandler):
    """One token of the caller."""

    async def delete(self, token_id: str) -> None:
        """Remove it; it opens nothing from now on."""
        self.read_query(NoQuery)
        await self.services.users.remove_token(token_id, user_id=self.user_id, by=self.caller.name)
        self.write_data({"token_id": token_id, "deleted": True}, _REMOVED)


ROUTES = (
    Route(
        "/api/v1/tokens",
        TokensHandler,
        {
            "get": Operation("List one's own tokens", TokenList, errors=("FORBIDDEN",)),
            "post": Operation(
                "Make a token", TokenMade, body=TokenCreate, errors=("FORBIDDEN", "RATE_LIMITED", "SHUTTING_DOWN")
            ),
        },
    ),
    Route(
        "/api/v1/tokens/{token_id}",
        TokenHandler,
        {"delete": Operation("Remove a token", TokenDeleted, errors=("FORBIDDEN", "NOT_FOUND", "SHUTTING_DOWN"))},
    ),
)
