"""The profile page: who you are and the tokens your programs use."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from xttsproject.accounts.models import ApiToken, SignedInRequest
from xttsproject.accounts.services import token_create, token_withdraw
from xttsproject.refusals import refusals_told

_NEW = "new_api_token"


@login_required
@require_GET
def profile(request: SignedInRequest) -> HttpResponse:
    return render(
        request,
        "accounts/profile.html",
        {
            "tokens": ApiToken.objects.filter(user=request.user),
            # It waits in the session for this one page and is taken out as it is shown.
            "new_token": request.session.pop(_NEW, None),
            "now": timezone.now(),
        },
    )


@login_required
@require_POST
def create_token(request: SignedInRequest) -> HttpResponse:
    with refusals_told(request):
        _row, token = token_create(user=request.user, name=request.POST.get("name", ""))
        request.session[_NEW] = token
    return redirect("accounts:profile")


@login_required
@require_POST
def withdraw_token(request: SignedInRequest, key: str) -> HttpResponse:
    with refusals_told(request):
        token_withdraw(user=request.user, key=key)
        messages.success(request, "The token is withdrawn; programs that used it are locked out.")
    return redirect("accounts:profile")
